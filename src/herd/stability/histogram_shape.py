"""The shape of a distribution from its sums or its histogram: one hump or two.

In: sums of powers, or counts in bins of equal width. Out: effect sizes between 0 and 1, never
p-values: with a million coordinates every departure from one hump is significant.
Source: SAS's bimodality coefficient; Hartigan and Hartigan 1985 for the dip.
"""

import math
from collections.abc import Sequence

UNIFORM_BIMODALITY = 5 / 9  # of the flat distribution: the usual border between one hump and two


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
    middle = [
        count for i, count in enumerate(counts) if abs(i + 0.5 - half) <= max(half / 18, 0.5)
    ]
    return sum(middle) / len(middle) / highest


def dip(counts: Sequence[float]) -> float:
    """Return the dip of a histogram: its distance from the nearest one-humped distribution.

    The largest difference between the cumulated counts and the closest function that is convex up
    to a mode and concave beyond it: 0 for one hump, 0.25 for two equal points far apart. NaN for an
    empty histogram.
    """
    total = sum(counts)
    if not total > 0:
        return math.nan
    cumulated = [0.0]
    for count in counts:
        cumulated.append(cumulated[-1] + count / total)
    # A mode inside a bin lets the curve bend there, so the two sides need not meet in a knot.
    below = _gaps_below(cumulated)
    above = _gaps_below([1 - value for value in reversed(cumulated)])[::-1]
    return min(max(below[k], above[k + 1]) for k in range(len(counts))) / 2


def _gaps_below(cumulated: Sequence[float]) -> list[float]:
    """Return for each k how far the first k + 1 knots rise above their greatest convex minorant."""
    gaps: list[float] = []
    hull: list[int] = []
    worst: list[float] = []  # of each segment of the hull, and of those before it
    for k in range(len(cumulated)):
        while len(hull) > 1 and _slope(cumulated, hull[-1], k) <= _slope(
            cumulated, hull[-2], hull[-1]
        ):
            hull.pop()
            worst.pop()
        if hull:
            gap = _gap_over_chord(cumulated, hull[-1], k)
            worst.append(max(gap, worst[-1] if worst else 0.0))
        hull.append(k)
        gaps.append(worst[-1] if worst else 0.0)
    return gaps


def _slope(values: Sequence[float], i: int, j: int) -> float:
    return (values[j] - values[i]) / (j - i)


def _gap_over_chord(values: Sequence[float], i: int, j: int) -> float:
    slope = _slope(values, i, j)
    return max(values[k] - values[i] - slope * (k - i) for k in range(i, j + 1))
