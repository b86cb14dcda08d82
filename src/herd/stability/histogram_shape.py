"""The shape of a distribution from its sums or its histogram: one hump or two.

In: sums of powers, or counts in bins of equal width. Out: effect sizes between 0 and 1, never
p-values: with a million coordinates every departure from one hump is significant.
Source: SAS's bimodality coefficient; Hartigan and Hartigan 1985 for the dip.
"""

import math
from collections.abc import Sequence


def bimodality(n: float, s1: float, s2: float, s3: float, s4: float) -> float:
    """Return (skewness^2 + 1)/kurtosis from sums of powers: 0.33 for a bell, 1 for two points.

    NaN where there is no spread.
    """
    if n < 2:
        return math.nan
    mean = s1 / n
    variance = s2 / n - mean**2
    if not variance > 1e-30 + 1e-9 * mean**2:
        return math.nan
    third = s3 / n - 3 * mean * s2 / n + 2 * mean**3
    fourth = s4 / n - 4 * mean * s3 / n + 6 * mean**2 * s2 / n - 3 * mean**4
    if not fourth > 0:
        return math.nan
    return min(1.0, (third**2 / variance + variance**2) / fourth)


def valley_ratio(counts: Sequence[float]) -> float:
    """Return the height around the middle over the greatest height: 1 is one hump, 0 fully split.

    The middle is the bins within 1/18 of the half width (0.07 of 1.3). NaN for an empty histogram.
    """
    n_bins = len(counts)
    highest = max(counts, default=0)
    if not highest > 0:
        return math.nan
    half = n_bins / 2
    middle = [count for i, count in enumerate(counts) if abs(i + 0.5 - half) <= max(half / 18, 0.5)]
    return sum(middle) / len(middle) / highest


def dip(counts: Sequence[float]) -> float:
    """Return the dip of a histogram: its distance from the nearest one-humped distribution.

    0 for one hump, 0.25 for two equal points far apart; NaN for an empty histogram. By Hartigan's
    iteration (algorithm AS 217): between the greatest convex function below the cumulated counts
    and the least concave one above, narrow down the interval that holds the mode.
    """
    total = sum(counts)
    if not total > 0:
        return math.nan
    heights = [0.0]
    for count in counts:
        heights.append(heights[-1] + count / total)
    low, high, distance = 0, len(counts), 0.0
    while high > low:
        lower = _convex_knots(heights, low, high)
        upper = _concave_knots(heights, low, high)
        gap, mode_low, mode_high = _widest_gap(heights, lower, upper)
        if gap <= distance:
            break
        left = _worst(heights, [k for k in lower if k <= mode_low], sign=1)
        right = _worst(heights, [k for k in upper if k >= mode_high], sign=-1)
        distance = max(distance, left, right)
        if (mode_low, mode_high) == (low, high):
            break
        low, high = mode_low, mode_high
    return distance / 2


def _convex_knots(heights: Sequence[float], low: int, high: int) -> list[int]:
    """Return where the greatest convex function below the heights touches them."""
    knots: list[int] = []
    for k in range(low, high + 1):
        while len(knots) > 1 and (heights[k] - heights[knots[-1]]) * (knots[-1] - knots[-2]) <= (
            heights[knots[-1]] - heights[knots[-2]]
        ) * (k - knots[-1]):
            knots.pop()
        knots.append(k)
    return knots


def _concave_knots(heights: Sequence[float], low: int, high: int) -> list[int]:
    return _convex_knots([-height for height in heights], low, high)


def _widest_gap(
    heights: Sequence[float], lower: Sequence[int], upper: Sequence[int]
) -> tuple[float, int, int]:
    """Return the widest gap between the two functions and the knots that enclose it."""
    widest, mode_low, mode_high = 0.0, lower[0], lower[-1]
    for k in lower:
        gap = _line(heights, upper, k) - heights[k]
        if gap > widest:
            widest, mode_low, mode_high = gap, k, min(j for j in upper if j >= k)
    for k in upper:
        gap = heights[k] - _line(heights, lower, k)
        if gap > widest:
            widest, mode_low, mode_high = gap, max(j for j in lower if j <= k), k
    return widest, mode_low, mode_high


def _line(heights: Sequence[float], knots: Sequence[int], at: int) -> float:
    """Return the height at `at` of the straight lines between the knots."""
    right = next(i for i, knot in enumerate(knots) if knot >= at)
    i, j = knots[max(right - 1, 0)], knots[right]
    return heights[i] + (heights[j] - heights[i]) * (at - i) / (j - i) if j > i else heights[j]


def _worst(heights: Sequence[float], knots: Sequence[int], *, sign: int) -> float:
    """Return how far the heights rise above (sign 1) or fall below (-1) the lines between knots."""
    return max(
        (
            sign * (heights[k] - _line(heights, [i, j], k))
            for i, j in zip(knots, knots[1:], strict=False)
            for k in range(i, j + 1)
        ),
        default=0.0,
    )
