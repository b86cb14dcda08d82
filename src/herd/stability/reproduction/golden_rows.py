"""Measured values beside formulas and golden values, with the rule that says whether they agree.

A golden value was measured with one seed and printed with few digits. It agrees when it lies within
the rounding and the interval that one further seed falls into 999 times of 1000; so a golden value
is judged against the scatter of this experiment, not against a tolerance chosen to fit.
"""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from herd.stability.reproduction.intervals import mean_interval, student_quantile
from herd.stability.reproduction.r0_golden import rounding
from herd.stability.reproduction.result import Check, Table

CONFIDENCE = 0.999


@dataclass(frozen=True, slots=True)
class GoldenRow:
    """One statistic over seeds; a single value is taken as exact. `slack` widens the rounding."""

    setting: str
    statistic: str
    values: Sequence[float]
    golden: str
    formula: float | None = None
    slack: float = 0.0

    @property
    def tolerance(self) -> float:
        """Return how far the golden value may lie from the mean."""
        n = len(self.values)
        scatter = 0.0
        if n > 1:
            deviation = float(np.std(self.values, ddof=1))
            scatter = student_quantile(n - 1, CONFIDENCE) * deviation * (1 + 1 / n) ** 0.5
        return rounding(self.golden) + self.slack + scatter

    @property
    def passes(self) -> bool:
        """Return whether the golden value agrees with what was measured."""
        return bool(abs(float(np.mean(self.values)) - float(self.golden)) <= self.tolerance + 1e-9)


def golden_table(name: str, caption: str, rows: Sequence[GoldenRow]) -> Table:
    """Return the rows as a table."""
    return Table(
        name=name,
        caption=caption,
        columns=("setting", "statistic", "measured", "formula", "golden", "within", "agrees"),
        rows=tuple(
            (
                row.setting,
                row.statistic,
                mean_interval(row.values) if len(row.values) > 1 else row.values[0],
                row.formula,
                row.golden,
                row.tolerance,
                row.passes,
            )
            for row in rows
        ),
    )


def golden_check(name: str, rows: Sequence[GoldenRow]) -> Check:
    """Return one check over all rows; the sentence of its failure names those that disagree."""
    failing = [row for row in rows if not row.passes]
    named = "; ".join(
        f"{row.setting}, {row.statistic}: {np.mean(row.values):.3f} against {row.golden}"
        for row in failing[:6]
    )
    return Check(
        name=name,
        expected=f"all {len(rows)} within rounding and the 99.9 % interval of one seed",
        measured=f"{len(rows) - len(failing)} agree" + (f"; not: {named}" if failing else ""),
        holds=not failing,
        so=f"{name[0].upper()}{name[1:]}: all {len(rows)} agree.",
        else_=f"{name[0].upper()}{name[1:]}: {len(failing)} of {len(rows)} disagree ({named}).",
    )
