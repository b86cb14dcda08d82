"""Long runs at the width of a page: many steps in one column, and no spike lost on the way.

In: numbers at watched steps. Out: `Columns` of equal width in steps, each with the most telling value
of its steps; a curve as its least and greatest values.
"""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

MOST_COLUMNS = 720
Reduce = Callable[..., Any]


@dataclass(frozen=True, slots=True, eq=False)
class Columns:
    """Columns over the steps from `first` to `last`, both included.

    `start_C` says where in the watched steps a column that holds any begins, `place_C` which
    column of the page it is.
    """

    first: int
    last: int
    n: int
    start_C: NDArray[np.int64]
    place_C: NDArray[np.int64]
    step_N: NDArray[np.int64]

    @classmethod
    def over(cls, step_N: NDArray[np.int64], most: int = MOST_COLUMNS) -> "Columns":
        """Lay columns over rising steps, at least one of them."""
        first, last = int(step_N[0]), int(step_N[-1])
        n = min(most, last - first + 1)
        place_N = (step_N - first) * n // (last - first + 1)
        place_C, start_C = np.unique(place_N, return_index=True)
        return cls(first, last, n, start_C, place_C, step_N)

    def reduced(self, values_NL: NDArray[Any], reduce: Reduce) -> NDArray[np.float64]:
        """Return [columns, L]: each column's values reduced by `np.fmax`, `np.fmin` or the like.

        A column without a watched step repeats the one before, as verdicts do, unless steps are
        missing for longer than is usual: then it stays NaN.
        """
        found = reduce.reduceat(values_NL, self.start_C, axis=0)  # type: ignore[attr-defined]
        wide = np.full((self.n, *values_NL.shape[1:]), np.nan)
        source = np.searchsorted(self.place_C, np.arange(self.n), side="right") - 1
        usual = int(np.quantile(np.diff(self.place_C), 0.95)) if len(self.place_C) > 1 else 1
        near = np.arange(self.n) - self.place_C[source] < 2 * usual
        wide[near] = found[source[near]]
        return wide


def envelope(
    step_N: NDArray[np.int64], value_N: NDArray[np.float64], most: int = MOST_COLUMNS
) -> tuple[NDArray[np.int64], NDArray[np.float64]]:
    """Return the least and the greatest value of each column at the steps where they are.

    Values that are not finite are left out; at most two points a column stay.
    """
    finite = np.isfinite(value_N)
    steps, values = step_N[finite], value_N[finite]
    if len(steps) <= 2 * most:
        return steps, values
    edges = np.append(Columns.over(steps, most).start_C, len(steps))
    kept: set[int] = {0, len(steps) - 1}
    for start, end in zip(edges[:-1], edges[1:], strict=True):
        kept |= {int(start + values[start:end].argmin()), int(start + values[start:end].argmax())}
    chosen = np.array(sorted(kept))
    return steps[chosen], values[chosen]
