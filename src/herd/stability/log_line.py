"""One line of a watched run's log: parsed and checked, so that nothing untrusted goes further.

In: the bytes of a line. Out: typed values, or one of the exceptions in `UNREADABLE`.
"""

import json
import math
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from herd.stability.verdict import Level
from herd.stability.watch_log import LETTER

LEVELS = tuple(Level)  # a level as a number is its place here
SHOWN = ("update_rms", "alignment", "cold_fraction")  # the columns that are looked at
NOT_SHOWN = b', "rho": ['  # the first column after them; nothing that is shown follows it
RARE = (b'"reasons"', b'"histograms"')
UNREADABLE = (ValueError, TypeError, KeyError, AttributeError, OverflowError, RecursionError)
LARGEST_STEP = 2**53
LARGEST = 1e30  # beyond it nothing can be drawn
Floats = NDArray[np.float32]
CODES = np.full(256, len(LEVELS), dtype=np.uint8)
CODES[[ord(LETTER[level]) for level in LEVELS]] = np.arange(len(LEVELS))


@dataclass(frozen=True, kw_only=True, slots=True)
class Change:
    """A watched step at which a level changed, with what the watch said."""

    step: int
    level: Level
    reasons: tuple[str, ...]
    mechanisms: tuple[str, ...]


@dataclass(frozen=True, kw_only=True, slots=True)
class Intervention:
    """Something that was done to the run; `before` and `after` map a name to a value."""

    step: int
    name: str
    what: str
    before: Mapping[str, Any]
    after: Mapping[str, Any]
    undone: bool


@dataclass(frozen=True, kw_only=True, slots=True, eq=False)
class WatchedStep:
    """An ordinary line: levels as places in `LEVELS`, arrays over layers, NaN where not known."""

    step: int
    level: int
    level_L: NDArray[np.uint8]
    columns_L: Mapping[str, Floats]
    loss_nats: float
    loss_z: float
    change: Change | None
    has_histograms: bool


def parse(line: bytes) -> dict[str, Any]:
    """Return the line's record without the columns that nobody looks at.

    Reading numbers is nearly all the work in a log of many layers, hence the cut.
    """
    cut = line.find(NOT_SHOWN)
    if cut > 0 and line.rstrip().endswith(b"]}") and not any(key in line for key in RARE):
        line = line[:cut] + b"}"
    record = json.loads(line)
    if not isinstance(record, dict):
        raise TypeError("a line is an object")
    return record


def step_of_record(record: Mapping[str, Any], n_layers: int) -> WatchedStep:
    """Return an ordinary line of a run with `n_layers` layers."""
    step = count_of(record)
    letters = np.frombuffer(record["levels"].encode("latin-1"), dtype=np.uint8)
    level_L = CODES[letters]
    if len(level_L) != n_layers or level_L.max() >= len(LEVELS):
        raise ValueError("one letter a layer")
    return WatchedStep(
        step=step,
        level=LEVELS.index(record["level"]),
        level_L=level_L,
        columns_L={name: _row_of(record.get(name), n_layers) for name in SHOWN},
        loss_nats=number_of(record.get("loss_nats")),
        loss_z=number_of(record.get("loss_z")),
        change=_change_of(step, record) if "reasons" in record else None,
        has_histograms="histograms" in record,
    )


def header_of_record(record: dict[str, Any]) -> dict[str, Any]:
    """Return the first line, if it names the layers."""
    layers = record["layers"]
    if not isinstance(layers, list) or not layers or not all(isinstance(x, str) for x in layers):
        raise ValueError("layers are names")
    return record


def constants_of(header: dict[str, Any]) -> dict[str, float]:
    """Return beta1, beta2 and epsilon, as far as the first line gives them."""
    found = {}
    for name in ("beta1", "beta2", "epsilon"):
        value = header.get(name)
        if isinstance(value, int | float) and not isinstance(value, bool) and 0 <= value < 1:
            found[name] = float(value)
    return found


def count_of(record: Mapping[str, Any]) -> int:
    """Return the step of a line."""
    step = record["step"]
    if isinstance(step, bool) or not isinstance(step, int) or not 0 <= step < LARGEST_STEP:
        raise ValueError("a step is a count")
    return step


def _row_of(values: Any, n_layers: int) -> Floats:
    if values is None:
        return np.full(n_layers, np.nan, dtype=np.float32)
    row = np.array(values, dtype=np.float32)  # None becomes NaN, "inf" infinity
    if row.shape != (n_layers,):
        raise ValueError("one number a layer")
    return row


def number_of(value: Any) -> float:
    """Return a number as logs write it: None is NaN, what is infinite a word.

    What is too large to be drawn is infinite too.
    """
    number = float("nan") if value is None else float(value)
    return math.copysign(math.inf, number) if abs(number) > LARGEST else number


def _change_of(step: int, record: Mapping[str, Any]) -> Change:
    return Change(
        step=step,
        level=Level(record["level"]),
        reasons=tuple(map(str, record["reasons"])),
        mechanisms=tuple(map(str, record.get("mechanisms", ()))),
    )


def intervention_of_record(record: dict[str, Any]) -> Intervention:
    """Return a line that says what was done."""
    before, after = record.get("before") or {}, record.get("after") or {}
    return Intervention(
        step=count_of(record),
        name=str(record["intervention"]),
        what=str(record.get("what", "")),
        before=before if isinstance(before, dict) else {"": before},
        after=after if isinstance(after, dict) else {"": after},
        undone=bool(record.get("undone")),
    )


def shares_of(counts: Any) -> NDArray[np.float64]:
    """Return a histogram as shares of its sum."""
    row = np.array(counts, dtype=np.float64)
    if row.ndim != 1 or not len(row) or not np.isfinite(row).all() or (row < 0).any():
        raise ValueError("a histogram is a list of counts")
    shares: NDArray[np.float64] = row / max(row.sum(), 1.0)
    return shares
