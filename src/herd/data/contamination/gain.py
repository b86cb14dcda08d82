"""What a model gains from benchmark examples that it saw in training (Llama 3, section 5.1.4).

For a threshold T_D the examples with a score of at least T_D are contaminated, the others clean; the
gain is score(all) - score(clean). T_D is the threshold with the largest significant gain, of all models
given. Significant: the contaminated and the clean examples differ at 95 %, by the two-sided z test of
two proportions with pooled binomial error (pooled, it is no smaller than the error of any scores between
0 and 1). The paper names no test. The gain is the difference times the share of the contaminated, so
that the same test decides on it. No correction for trying several thresholds is made.
In: contamination scores, correctness of one or more models. Out: the estimate. Never: one from a few.
"""

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import ArrayLike, NDArray

from herd.foundation import UserError

THRESHOLDS = tuple(round(0.1 * step, 1) for step in range(1, 11))
MIN_EXAMPLES = 30  # on either side, for a proportion's error to be normal
Z_95 = 1.959964
Values = NDArray[np.float64]


@dataclass(frozen=True, slots=True)
class ModelGain:
    """One model at one threshold. Scores and gain are shares (0 to 1); the error is the gain's.

    `z` is 0 where a side has no example or nothing differs.
    """

    score_all: float
    score_clean: float
    gain: float
    standard_error: float
    z: float


@dataclass(frozen=True, slots=True)
class ThresholdGain:
    """All models at one threshold, by name."""

    threshold: float
    contaminated: float
    n_contaminated: int
    n_clean: int
    models: Mapping[str, ModelGain]


@dataclass(frozen=True, slots=True)
class GainEstimate:
    """The estimate for a benchmark; `chosen` is None, and `why_not` says why, where there is none."""

    n_examples: int
    chosen: ThresholdGain | None
    significant: bool
    why_not: str
    thresholds: tuple[ThresholdGain, ...]


def estimate_gain(
    scores: ArrayLike,
    correct: Mapping[str, ArrayLike],
    *,
    thresholds: Sequence[float] = THRESHOLDS,
    min_examples: int = MIN_EXAMPLES,
) -> GainEstimate:
    """Estimate what each model gains from contamination.

    `scores` [examples] are contamination scores; `correct` maps a model to its correctness [examples];
    both are 0 to 1. A threshold that leaves fewer than `min_examples` clean examples is not used;
    where none is left, there is no estimate, as for several benchmarks in the paper. A gain is only
    significant if there are as many contaminated ones too. If no gain is, the lowest threshold
    used is chosen. Raises UserError for values that do not fit.
    """
    score_N = _checked("scores", scores)
    correct_N = {name: _checked(name, values, score_N.size) for name, values in correct.items()}
    if not correct_N or not score_N.size or not thresholds:
        raise UserError("a gain needs examples, thresholds and the correctness of a model")
    found = tuple(_at(one, score_N, correct_N) for one in sorted(set(thresholds)))
    used = [one for one in found if one.n_clean >= max(min_examples, 1)]
    if not used:
        most = max(one.n_clean for one in found)
        why = f"{most} clean examples at most, fewer than {min_examples}"
        return GainEstimate(score_N.size, None, False, why, found)
    best = max(used, key=lambda one: _largest_significant(one, min_examples))
    significant = _largest_significant(best, min_examples) > -math.inf
    return GainEstimate(score_N.size, best if significant else used[0], significant, "", found)


def _largest_significant(one: ThresholdGain, min_examples: int) -> float:
    if one.n_contaminated < min_examples:
        return -math.inf
    gains = [model.gain for model in one.models.values() if abs(model.z) >= Z_95]
    return max(gains, default=-math.inf)


def _at(threshold: float, score_N: Values, correct_N: Mapping[str, Values]) -> ThresholdGain:
    is_dirty = score_N >= threshold
    n_dirty = int(is_dirty.sum())
    return ThresholdGain(
        threshold=float(threshold),
        contaminated=n_dirty / score_N.size,
        n_contaminated=n_dirty,
        n_clean=score_N.size - n_dirty,
        models={name: _gain(values, is_dirty) for name, values in correct_N.items()},
    )


def _gain(correct_N: Values, is_dirty: NDArray[np.bool_]) -> ModelGain:
    mean = float(correct_N.mean())
    n_dirty = int(is_dirty.sum())
    n_clean = correct_N.size - n_dirty
    if not n_dirty or not n_clean:
        # Without a clean example its score is not known: a gain of nothing is claimed.
        return ModelGain(mean, mean, 0.0, 0.0, 0.0)
    clean, dirty = float(correct_N[~is_dirty].mean()), float(correct_N[is_dirty].mean())
    error = math.sqrt(mean * (1 - mean) * (1 / n_dirty + 1 / n_clean))
    share = n_dirty / correct_N.size
    return ModelGain(
        score_all=mean,
        score_clean=clean,
        gain=mean - clean,
        standard_error=share * error,
        z=(dirty - clean) / error if error > 0 else 0.0,
    )


def _checked(name: str, values: ArrayLike, n_values: int | None = None) -> Values:
    array = np.asarray(values, dtype=np.float64)
    if array.ndim != 1 or (n_values is not None and array.size != n_values):
        raise UserError(f"{name}: shape {list(array.shape)}, not one value for each example")
    if not ((array >= 0) & (array <= 1)).all():
        raise UserError(f"{name}: values outside 0 to 1")
    return array
