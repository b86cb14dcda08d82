"""What an experiment hands back: its question, tables, figures, checks, and words computed from them.

In: numbers measured over seeds. Out: `ExperimentResult`, a frozen value that `write_results` turns
into Markdown, CSV, JSON and drawings.
Never: a conclusion that does not follow from the checks.
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from herd.stability.reproduction.intervals import Estimate

if TYPE_CHECKING:
    from matplotlib.figure import Figure as Canvas

Cell = str | int | float | bool | Estimate | None
Report = Callable[[str], None]  # is told in one line what is being done


def silent(_line: str) -> None:
    """Report nothing."""


@dataclass(frozen=True, kw_only=True, slots=True)
class Table:
    """A named table. A measured cell is an `Estimate`: the mean over seeds and its 95 % interval."""

    name: str  # letters, digits and hyphens: it names the CSV file
    caption: str
    columns: tuple[str, ...]
    rows: tuple[tuple[Cell, ...], ...]

    def __post_init__(self) -> None:
        """Check that every row has a cell for each column; take numpy's numbers for Python's."""
        plain = tuple(tuple(_plain(cell) for cell in row) for row in self.rows)
        object.__setattr__(self, "rows", plain)
        for row in self.rows:
            if len(row) != len(self.columns):
                raise ValueError(f"table {self.name}: {len(row)} cells in {self.columns}")


@dataclass(frozen=True, kw_only=True, slots=True)
class Drawing:
    """A figure as the function that draws it, so that nothing is drawn unless it is wanted."""

    name: str
    caption: str
    draw: "Callable[[], Canvas]"


@dataclass(frozen=True, kw_only=True, slots=True)
class Check:
    """One thing that the theory, or the specification's golden values, predict.

    `so` is the sentence that follows if it holds, `else_` the one that follows if it does not; both
    may be empty for a check that only counts. Where a prediction of the theory fails, that is a finding.
    """

    name: str
    expected: str
    measured: str
    holds: bool
    so: str = ""
    else_: str = ""

    def __post_init__(self) -> None:
        """Take numpy's truth for Python's, which JSON knows."""
        object.__setattr__(self, "holds", bool(self.holds))


@dataclass(frozen=True, kw_only=True, slots=True)
class ExperimentResult:
    """One experiment, finished. `seconds` is its wall time, drawing left out."""

    name: str
    question: str
    tables: tuple[Table, ...]
    drawings: tuple[Drawing, ...]
    checks: tuple[Check, ...]
    conclusion: str
    seconds: float
    seeds: tuple[int, ...]

    @property
    def n_held(self) -> int:
        """Return how many checks hold."""
        return sum(check.holds for check in self.checks)


def _plain(cell: Cell) -> Cell:
    return cell.item() if isinstance(cell, np.generic) else cell


def conclude(checks: Sequence[Check], remarks: Sequence[str] = ()) -> str:
    """Return the sentences that follow from the checks: what was shown first, then what was not."""
    held = [check.so for check in checks if check.holds and check.so]
    failed = [
        check.else_ or f"{check.name}: expected {check.expected}, measured {check.measured}."
        for check in checks
        if not check.holds
    ]
    n_held = sum(check.holds for check in checks)
    parts = [f"{n_held} of {len(checks)} checks hold.", *held]
    if failed:
        parts += ["Not shown here, or shown otherwise:", *failed]
    return " ".join([*parts, *remarks])
