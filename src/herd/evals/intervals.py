"""95 % intervals of scores, and of the difference between two models on the same questions.

The paper's `1.96 * sqrt(S(1-S)/N)` (Llama 3, section 5.1.1) is empty at 0 and 1 and too short near them;
Wilson's interval has the same aim and keeps its promise there. Questions that share a passage are no
independent evidence: their variance is taken over passages, and the interval is Wilson's for the number
of independent questions that would have that variance, with Student's t for few passages.
In: one value a question, 0 to 1 (or any number, for the bootstrap), and what groups them. Out: an
`Interval`. Never: an interval of one question that claims to know.
"""

import math
from collections.abc import Hashable, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import ArrayLike, NDArray

from herd.foundation import UserError

LEVEL = 0.95
Z = 1.959963984540054
BOOTSTRAP_SAMPLES = 2_000
Values = NDArray[np.float64]


@dataclass(frozen=True, slots=True)
class Interval:
    """A score with its 95 % interval; `method` says how it was made, of how many `clusters`."""

    score: float
    low: float
    high: float
    method: str
    n: int
    clusters: int

    @property
    def excludes_zero(self) -> bool:
        """Whether a difference is significant at 5 %."""
        return self.low > 0 or self.high < 0


def mean_interval(values: ArrayLike, clusters: Sequence[Hashable] | None = None) -> Interval:
    """Return the mean of `values` [questions], each 0 to 1, with its interval.

    Wilson's for right-or-wrong scores that stand alone; for others by their variance, over `clusters`
    (one label a question) where given. Raises UserError for values that are none, or outside 0 to 1.
    """
    value_N = _checked(values)
    if ((value_N < 0) | (value_N > 1)).any():
        raise UserError("a score lies outside 0 to 1; use bootstrap_ratio for other quantities")
    mean, n = float(value_N.mean()), value_N.size
    label_N = _labels(clusters, n)
    n_clusters = int(label_N.max()) + 1
    is_binary = bool(((value_N == 0) | (value_N == 1)).all())
    if is_binary and n_clusters == n:
        return Interval(mean, *wilson(mean, n), "binomial (Wilson)", n, n)
    variance = _clustered_variance(value_N - mean, label_N)
    quantile = _t_quantile(n_clusters - 1)
    # Where nothing varies, each cluster counts as one question that went like the others.
    n_effective = mean * (1 - mean) / variance if variance > 0 else float(n_clusters)
    method = "clustered (Wilson, t)" if n_clusters < n else "by variance (Wilson, t)"
    return Interval(mean, *wilson(mean, n_effective, quantile), method, n, n_clusters)


def wilson(share: float, n: float, quantile: float = Z) -> tuple[float, float]:
    """Return Wilson's score interval of a share of `n` independent questions."""
    if math.isinf(quantile):
        return 0.0, 1.0
    square = quantile * quantile
    middle = (share + square / (2 * n)) / (1 + square / n)
    half = quantile * math.sqrt(share * (1 - share) / n + square / (4 * n * n)) / (1 + square / n)
    # At 0 and 1 rounding would leave the score itself outside.
    return max(0.0, min(share, middle - half)), min(1.0, max(share, middle + half))


def paired_difference(
    first: ArrayLike, second: ArrayLike, clusters: Sequence[Hashable] | None = None
) -> Interval:
    """Return the mean of `first - second` over the same questions, with its interval.

    Right-or-wrong scores that stand alone: Agresti and Min's interval, which adds half a question to
    each of the four outcomes and so also says something where the models never differ. Others: Student's
    t over clusters. Raises UserError for lists of unlike lengths.
    """
    first_N, second_N = _checked(first), _checked(second)
    if first_N.size != second_N.size:
        raise UserError(
            f"{first_N.size:,} scores against {second_N.size:,}: pair the same questions"
        )
    difference_N = first_N - second_N
    mean, n = float(difference_N.mean()), difference_N.size
    label_N = _labels(clusters, n)
    n_clusters = int(label_N.max()) + 1
    if n_clusters == n and bool(np.isin(np.concatenate([first_N, second_N]), (0, 1)).all()):
        return _agresti_min(difference_N)
    spread = math.sqrt(_clustered_variance(difference_N - mean, label_N))
    half = _t_quantile(n_clusters - 1) * spread
    low, high = (mean - half, mean + half) if n_clusters > 1 else (-math.inf, math.inf)
    return Interval(
        mean, low, high, "paired, clustered (t)" if n_clusters < n else "paired (t)", n, n_clusters
    )


def bootstrap_ratio(
    numerators: ArrayLike,
    denominators: ArrayLike,
    clusters: Sequence[Hashable] | None = None,
    *,
    seed: int = 0,
    n_samples: int = BOOTSTRAP_SAMPLES,
) -> Interval:
    """Return `sum(numerators) / sum(denominators)` with the percentile bootstrap's interval.

    For bits per byte and the like: long texts weigh more. Whole clusters are drawn.
    """
    top_N, bottom_N = _checked(numerators), _checked(denominators)
    if top_N.size != bottom_N.size or bottom_N.sum() <= 0:
        raise UserError("a ratio needs as many denominators as numerators, and more than 0 in all")
    label_N = _labels(clusters, top_N.size)
    n_clusters = int(label_N.max()) + 1
    top_C, bottom_C = np.bincount(label_N, top_N), np.bincount(label_N, bottom_N)
    ratio = float(top_C.sum() / bottom_C.sum())
    if n_clusters == 1:
        return Interval(ratio, -math.inf, math.inf, "bootstrap", top_N.size, 1)
    rng = np.random.default_rng(seed)
    ratios = np.empty(n_samples)
    for i in range(n_samples):
        drawn = rng.integers(n_clusters, size=n_clusters)
        ratios[i] = top_C[drawn].sum() / max(bottom_C[drawn].sum(), 1e-300)
    low, high = np.quantile(ratios, [(1 - LEVEL) / 2, (1 + LEVEL) / 2])
    return Interval(ratio, float(low), float(high), "bootstrap", top_N.size, n_clusters)


def _agresti_min(difference_N: Values) -> Interval:
    n = difference_N.size
    better, worse = float((difference_N > 0).sum()) + 0.5, float((difference_N < 0).sum()) + 0.5
    middle = (better - worse) / (n + 2)
    variance = ((better + worse) - (better - worse) ** 2 / (n + 2)) / (n + 2) ** 2
    half = Z * math.sqrt(variance)
    low, high = max(-1.0, middle - half), min(1.0, middle + half)
    return Interval(float(difference_N.mean()), low, high, "paired (Agresti-Min)", n, n)


def _t_quantile(freedom: int) -> float:
    """Student's t for a two-sided interval; infinite where there is nothing to estimate it from."""
    from scipy.special import stdtrit

    return float(stdtrit(freedom, (1 + LEVEL) / 2)) if freedom > 0 else math.inf


def _clustered_variance(residual_N: Values, label_N: NDArray[np.int64]) -> float:
    """The variance of a mean, summed over clusters, with the correction for their number."""
    sum_C = np.bincount(label_N, residual_N)
    if sum_C.size < 2:
        return 0.0
    return float((sum_C**2).sum() / residual_N.size**2 * sum_C.size / (sum_C.size - 1))


def _labels(clusters: Sequence[Hashable] | None, n: int) -> NDArray[np.int64]:
    if clusters is None:
        return np.arange(n)
    if len(clusters) != n:
        raise UserError(f"{len(clusters):,} cluster labels for {n:,} questions")
    number_of: dict[Any, int] = {}
    return np.array([number_of.setdefault(one, len(number_of)) for one in clusters], dtype=np.int64)


def _checked(values: ArrayLike) -> Values:
    array = np.asarray(values, dtype=np.float64)
    if array.ndim != 1 or not array.size:
        raise UserError("an interval needs at least one score, in a list")
    if not np.isfinite(array).all():
        raise UserError("a score is no finite number")
    return array
