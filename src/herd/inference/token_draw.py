"""From the logits of one row to the next token: temperature, top-k, top-p, min-p, one uniform number.

In: logits of one row, a `SamplingConfig`, a uniform number. Out: a token id.
Never: penalties, or random numbers of its own.

Two ways that agree to the bit: `draw_plainly` sorts the vocabulary, `draw` looks only at tokens that
can be drawn at all and sorts only those about the edge of top-p. They can agree because sums are
exact: weights are whole multiples of 2^-35, so float64 adds a quarter of a million of them without
rounding, in whatever order.
"""

from __future__ import annotations

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
MANY = 4096  # from so many candidates on, finer bins are worth their own cost


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
    near_V = logits_V > peak + np.float32(NEGLIGIBLE * temperature)
    near_V |= logits_V == peak  # at a tiny temperature the sum above is the peak itself
    if 2 * np.count_nonzero(near_V) > len(near_V):  # picking out most costs more than keeping all
        return np.arange(len(logits_V)), _scale(logits_V, peak, temperature)
    ids = np.flatnonzero(near_V)
    return ids, _scale(logits_V[ids], peak, temperature)


def _select(keep: Bools, ids: Ids, weights: Floats) -> tuple[Ids, Floats]:
    places = np.flatnonzero(keep)
    return ids[places], weights[places]


def _top_k(logits: Floats, k: int) -> Bools:
    """Mark the k largest, of equal ones those that come first."""
    threshold = np.partition(logits, len(logits) - k)[len(logits) - k]
    keep: Bools = logits > threshold
    ties = np.flatnonzero(logits == threshold)
    keep[ties[: k - np.count_nonzero(keep)]] = True
    return keep


def _nucleus(weights: Floats, top_p: float) -> Bools:
    """Mark the tokens before which the mass does not exceed top_p.

    The bits of a positive float rank like its value, so their upper end sorts weights into bins. Bins
    above the one where the mass passes top_p are in, those below are out, and it alone is sorted.
    """
    bins = weights.view(np.int32) >> (16 if len(weights) > MANY else 20)
    mass = np.bincount(bins, weights=weights)
    mass_down_to = mass[::-1].cumsum()[::-1]
    limit = top_p * mass_down_to[0]
    edge = np.flatnonzero(mass_down_to > limit)[-1]
    keep: Bools = bins > edge
    at_edge = np.flatnonzero(bins == edge)
    at_edge = at_edge[_order(weights[at_edge])]
    edge_weights = weights[at_edge].astype(np.float64)
    before = mass_down_to[edge] - mass[edge] + edge_weights.cumsum() - edge_weights
    keep[at_edge[before <= limit]] = True
    return keep


def _pick(weights: Floats, uniform: float) -> int:
    """Return the place at which the share `uniform` of all weight is passed (inverse CDF)."""
    passed = torch.from_numpy(weights).cumsum(0, dtype=torch.float64).numpy()
    # Below the whole even where the product rounds up to it, so that some place passes it.
    target = min(uniform * passed[-1], np.nextafter(passed[-1], 0.0))
    return int(np.searchsorted(passed, target, side="right"))
