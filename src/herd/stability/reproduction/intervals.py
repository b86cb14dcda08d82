"""How sure a mean or a share over seeds is: 95 % confidence intervals.

In: one number a seed, or successes out of trials. Out: `Estimate`: the value with both ends.
Source: Student's t (exact finite sums for integer degrees of freedom, Abramowitz and Stegun 26.7.3
and 26.7.4); Wilson 1927 for shares, which stays inside [0, 1] and is honest near both ends.
"""

import math
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

CONFIDENCE = 0.95
NORMAL_QUANTILE = 1.959963984540054  # two-sided, 95 %


@dataclass(frozen=True, slots=True)
class Estimate:
    """A measured value and its 95 % interval; `low` and `high` are NaN where one seed tells nothing."""

    mean: float
    low: float
    high: float
    n: int

    @property
    def half_width(self) -> float:
        """Return half of the interval's length."""
        return (self.high - self.low) / 2

    def contains(self, value: float) -> bool:
        """Return whether the interval holds `value`."""
        return self.low <= value <= self.high


def mean_interval(values: Sequence[float] | np.ndarray) -> Estimate:
    """Return the mean over seeds with Student's interval; values that are not finite are left out."""
    x = np.asarray(values, dtype=np.float64).ravel()
    x = x[np.isfinite(x)]
    if x.size == 0:
        return Estimate(math.nan, math.nan, math.nan, 0)
    mean = float(x.mean())
    if x.size == 1:
        return Estimate(mean, math.nan, math.nan, 1)
    half = student_quantile(x.size - 1) * float(x.std(ddof=1)) / math.sqrt(x.size)
    return Estimate(mean, mean - half, mean + half, int(x.size))


def prediction_interval(values: Sequence[float] | np.ndarray) -> Estimate:
    """Return the mean with the interval that one further seed falls into 95 times of 100."""
    estimate = mean_interval(values)
    if estimate.n < 2:
        return estimate
    half = estimate.half_width * math.sqrt(estimate.n + 1)
    return Estimate(estimate.mean, estimate.mean - half, estimate.mean + half, estimate.n)


def share_interval(successes: int, n: int) -> Estimate:
    """Return a share with Wilson's interval."""
    if n == 0:
        return Estimate(math.nan, 0.0, 1.0, 0)
    z2 = NORMAL_QUANTILE**2
    share = successes / n
    centre = (share + z2 / (2 * n)) / (1 + z2 / n)
    half = math.sqrt(z2 * share * (1 - share) / n + z2**2 / (4 * n**2)) / (1 + z2 / n)
    return Estimate(share, max(0.0, centre - half), min(1.0, centre + half), n)


def line_fit(
    x: Sequence[float] | np.ndarray, y: Sequence[float] | np.ndarray
) -> tuple[Estimate, Estimate]:
    """Return intercept and slope of the least-squares line, each with Student's interval."""
    x, y = np.asarray(x, dtype=np.float64), np.asarray(y, dtype=np.float64)
    n = x.size
    if n < 3 or np.ptp(x) == 0:
        nothing = Estimate(math.nan, math.nan, math.nan, n)
        return nothing, nothing
    spread = float(((x - x.mean()) ** 2).sum())
    slope = float(((x - x.mean()) * (y - y.mean())).sum()) / spread
    intercept = float(y.mean()) - slope * float(x.mean())
    variance = float(((y - intercept - slope * x) ** 2).sum()) / (n - 2)
    t = student_quantile(n - 2)
    half_slope = t * math.sqrt(variance / spread)
    half_intercept = t * math.sqrt(variance * (1 / n + float(x.mean()) ** 2 / spread))
    return (
        Estimate(intercept, intercept - half_intercept, intercept + half_intercept, n),
        Estimate(slope, slope - half_slope, slope + half_slope, n),
    )


def student_quantile(degrees: int, confidence: float = CONFIDENCE) -> float:
    """Return t such that Student's variable lies within [-t, t] with this probability."""
    low, high = 0.0, 1.0
    while _student_within(high, degrees) < confidence:
        high *= 2
    for _ in range(100):
        middle = (low + high) / 2
        low, high = (
            (middle, high) if _student_within(middle, degrees) < confidence else (low, middle)
        )
    return (low + high) / 2


def _student_within(t: float, degrees: int) -> float:
    """Return P(|T| <= t)."""
    angle = math.atan(t / math.sqrt(degrees))
    sine, cosine = math.sin(angle), math.cos(angle)
    odd = degrees % 2
    term = total = 0.0
    if degrees > 1:
        term = total = cosine if odd else 1.0
    for k in range(2 + odd, degrees, 2):
        term *= cosine**2 * (k - 1) / k
        total += term
    return 2 / math.pi * (angle + sine * total) if odd else sine * total
