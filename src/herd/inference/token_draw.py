"""From the logits of one row to the next token: temperature, top-k, top-p, min-p, one uniform number.

In: logits of one row, a `SamplingConfig`, a uniform number. Out: a token id.
Never: penalties, or random numbers of its own.

Two ways that agree to the bit: `draw_plainly` sorts the vocabulary, `draw` looks only at tokens that
can be drawn at all and sorts only those about the edge of top-p. They can agree because sums are
exact: weights are whole multiples of 2^-35, so float64 adds a quarter of a million of them without
rounding, in whatever order.
"""

from __future__ import annotations

import math

import numpy as np
import numpy.typing as npt
import torch

from herd.inference.sampling_config import SamplingConfig

Floats = npt.NDArray[np.float32]
Bools = npt.NDArray[np.bool_]
Ids = npt.NDArray[np.intp]

# A float32 in [2^-12, 2^-11) is a multiple of 2^-35: adding and subtracting this rounds to that.
ROUNDER = np.float32(1.5 * 2.0**-12)
NEGLIGIBLE = -25.5  # exp(-25.5) < 2^-36, which rounds to a weight of 0
COLDEST = 1e-30  # float32 divides by it; no two logits are so near that it is not greedy
MANY = 2048  # numbers, from which on torch sums faster than NumPy


def draw(logits_V: Floats, config: SamplingConfig, uniform: float) -> int:
    """Return the token that `uniform` in [0, 1) stands for. Needs temperature > 0, a finite peak.

    Order: temperature, top-k, top-p on what remains, min-p; as in `transformers`. Tokens lie along
    the unit interval in the order of their ids, not of their likelihood: two nearly equal logits
    change ranks by a rounding error, and then the same number would stand for another token.
    """
    ids, scaled = _candidates(logits_V, config.temperature)
    weights = _weights(scaled)
    if 0 < config.top_k < len(ids):
        ids, weights = _select(_top_k(logits_V[ids], config.top_k), ids, weights)
    if config.top_p < 1.0:
        ids, weights = _select(_nucleus(weights, config.top_p), ids, weights)
    if config.min_p > 0.0:
        ids, weights = _select(weights >= config.min_p, ids, weights)
    return int(ids[_pick(weights, uniform)])


def draw_plainly(logits_V: Floats, config: SamplingConfig, uniform: float) -> int:
    """Return what `draw` returns, by the rules as they are written."""
    return _pick(kept_weights(logits_V, config), uniform)


def kept_weights(logits_V: Floats, config: SamplingConfig) -> Floats:
    """Return weights [V] in proportion to which tokens are drawn, the likeliest one's 1.

    Top-p drops a token where the mass before it exceeds p (Meta's rule); equal weights rank by id.
    """
    weights_V = _weights(_scale(logits_V, logits_V.max(), config.temperature))
    if config.top_k > 0:
        weights_V[_order(logits_V)[config.top_k :]] = 0.0
    order = _order(weights_V)
    sorted_V = weights_V[order].astype(np.float64)
    before_V = sorted_V.cumsum() - sorted_V
    weights_V[order[before_V > config.top_p * sorted_V.sum()]] = 0.0
    weights_V[weights_V < config.min_p] = 0.0
    return weights_V


def _order(values: Floats) -> Ids:
    """Return the places of `values`, largest first, equal ones by place."""
    return np.argsort(-values, kind="stable")


def _scale(logits: Floats, peak: np.float32, temperature: float) -> Floats:
    # Shifted before dividing: a tiny temperature then gives -inf at worst, never +inf.
    with np.errstate(over="ignore"):
        return (logits - peak) / np.float32(max(temperature, COLDEST))


def _weights(scaled: Floats) -> Floats:
    # torch's exponential, in place: 1.5 times as fast as NumPy's, and the same for any length.
    weights: Floats = torch.from_numpy(scaled).exp_().numpy()
    weights += ROUNDER
    weights -= ROUNDER
    return weights


def _candidates(logits_V: Floats, temperature: float) -> tuple[Ids, Floats]:
    """Return all tokens whose weight is not 0, and their scaled logits."""
    peak = logits_V.max()
    # At a tiny temperature the sum is the peak itself, hence not ">".
    near_V = logits_V >= peak + np.float32(NEGLIGIBLE * temperature)
    if 2 * np.count_nonzero(near_V) > len(near_V):  # picking out most costs more than keeping all
        return np.arange(len(logits_V)), _scale(logits_V, peak, temperature)
    ids = near_V.nonzero()[0]
    return ids, _scale(logits_V[ids], peak, temperature)


def _select(keep: Bools, ids: Ids, weights: Floats) -> tuple[Ids, Floats]:
    places = keep.nonzero()[0]
    return ids[places], weights[places]


def _top_k(logits: Floats, k: int) -> Bools:
    """Mark the k largest."""
    return _down_to(np.partition(logits, len(logits) - k)[len(logits) - k], logits, k)


def _nucleus(weights: Floats, top_p: float) -> Bools:
    """Mark the tokens before which the mass does not exceed top_p."""
    whole = weights.sum(dtype=np.float64)
    # Together all that are lighter weigh less than 1 - top_p: the nucleus is among the others.
    light = 0.999 * (1.0 - top_p) * whole / len(weights)
    rising = np.sort(weights[weights >= light])  # values alone: many times as fast as sorting ids
    passed = _running_sum(rising[::-1])
    limit = top_p * whole
    # Token i + 1 stays while the mass before it, passed[i], does not exceed the limit.
    n_kept = 1 + int(passed[:-1].searchsorted(limit, side="right"))
    return _down_to(rising[-n_kept], weights, n_kept)


def _down_to(least: np.float32, values: Floats, n: int) -> Bools:
    """Mark the n largest, of which `least` is the last; of equal ones those that come first."""
    keep: Bools = values >= least
    n_excess = np.count_nonzero(keep) - n
    if n_excess:
        keep[(values == least).nonzero()[0][-n_excess:]] = False
    return keep


def _pick(weights: Floats, uniform: float) -> int:
    """Return the place at which the share `uniform` of all weight is passed (inverse CDF)."""
    passed = _running_sum(weights)
    whole = float(passed[-1])
    # Below the whole even where the product rounds up to it, so that some place passes it.
    target = min(uniform * whole, math.nextafter(whole, 0.0))
    return int(passed.searchsorted(target, side="right"))


def _running_sum(weights: Floats) -> npt.NDArray[np.float64]:
    if len(weights) < MANY:
        return weights.cumsum(dtype=np.float64)
    # Three times as fast, after a start that costs more than a few numbers are worth.
    exact = torch.from_numpy(np.ascontiguousarray(weights)).cumsum(0, dtype=torch.float64)
    return exact.numpy()
