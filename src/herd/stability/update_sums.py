"""What one Adam step does to its coordinates, as sums that add up over blocks, tensors and ranks.

In: blocks of coordinates, shape [K, 256]: gradient, moments before the step, weights; and each
block's constants. Out: float32 sums for each block, `[K, len(SUMS)]`, the largest update `[K]`, and
histograms of the update for each tensor. Nothing here reads a number back from the device.
Source: Adam as in Kingma and Ba 2015; RMS of StableAdamW from Wortsman et al. 2023 (arXiv
2304.13013); spikes from Huang et al. 2025 (SPAM, arXiv 2501.06842). Lower index `_` (before) is the
state before the step: `u_` is the update of the step before, known without having been kept; `v` is
corrected for its bias, as Adam uses it.
"""

from dataclasses import dataclass
from typing import NamedTuple

import torch
from torch import Tensor

BLOCK = 256  # coordinates summed in float32; sums of blocks go on in float64
N_BINS = 64
HISTOGRAM_EDGE = 1.3  # beyond the hard bound of betas 0.9 and 0.95; outer bins take the rest
SPIKE_RATIO = 5000.0  # SPAM's theta
RATIO_CAP = 1e12
SUMS = (
    "n",
    "g2",  # sum of g^2
    "m2",  # of m_^2
    "gm",  # of g m_
    "p2",  # of u_^2, the previous update, up to a factor that cosines do not see
    "gp",  # of g u_
    "u1",
    "u2",
    "u3",
    "u4",
    "active_n",  # coordinates with sqrt(v) > eps, and their sums
    "active_u1",
    "active_u2",
    "active_u3",
    "active_u4",
    "kicked",  # |u| at or above what a single gradient does to a cold coordinate
    "stable",  # of g^2 / max(v_, eps^2)
    "spiking",  # g^2 > 5000 max(v_, eps^2)
    "cold",  # sqrt(v_) < eps
    "near_cold",  # sqrt(v_) < 10 eps
    "zero",  # g = 0: a row of an embedding that this batch does not use
    "present_cold",  # cold although the gradient is not zero
    "v",
    "w2",  # of squared weights
)


@dataclass(frozen=True, eq=False, slots=True)
class Coordinates:
    """Captured coordinates, each tensor `[K, 256]`; a tensor's last block is filled with zeros."""

    g: Tensor
    m_before: Tensor
    v_before: Tensor
    w: Tensor
    v_max_before: Tensor | None = None  # for AMSGrad


@dataclass(frozen=True, eq=False, slots=True)
class BlockConstants:
    """Adam's constants for each block, shape `[K, 1]`.

    `rooted_bias_before` is 1/sqrt(1 - beta2^(t-1)), 1 where t is 1; `bias1` is 1/(1 - beta1^t).
    """

    beta1: Tensor
    beta2: Tensor
    epsilon: Tensor
    bias1: Tensor
    rooted_bias2: Tensor
    rooted_bias_before: Tensor
    kick: Tensor


class BlockSums(NamedTuple):
    """Sums `[K, len(SUMS)]`, the largest |u| `[K]`, and u `[K, 256]` with its active coordinates."""

    sums: Tensor
    u_max: Tensor
    u: Tensor
    active: Tensor


def sum_blocks(x: Coordinates, c: BlockConstants) -> BlockSums:
    """Return every sum of every block."""
    g, g2 = x.g, x.g * x.g
    eps2 = c.epsilon * c.epsilon
    m = torch.lerp(x.m_before, g, 1 - c.beta1)
    v = torch.lerp(x.v_before, g2, 1 - c.beta2)
    v_divisor = v if x.v_max_before is None else torch.maximum(x.v_max_before, v)
    root = v_divisor.sqrt().mul_(c.rooted_bias2)
    u = (m * c.bias1).div_(root + c.epsilon)
    root_before = x.v_before.sqrt().mul_(c.rooted_bias_before)
    divisor_before = root_before
    if x.v_max_before is not None:
        divisor_before = x.v_max_before.sqrt().mul_(c.rooted_bias_before)
    previous = x.m_before / (divisor_before + c.epsilon)
    ratio = g2.div(torch.maximum(root_before.square(), eps2)).clamp_(max=RATIO_CAP)
    u2 = u * u
    size = u.abs()
    active, cold, zero = _where(root, ">", c.epsilon), _where(root_before, "<", c.epsilon), g == 0
    present_cold = cold.masked_fill(zero, 0.0)
    u_active, u2_active = u * active, u2 * active
    columns = [
        torch.full_like(g[:, 0], g.shape[1]),
        g2.sum(1),
        _dot(x.m_before, x.m_before),
        _dot(g, x.m_before),
        _dot(previous, previous),
        _dot(g, previous),
        u.sum(1),
        u2.sum(1),
        _dot(u2, u),
        _dot(u2, u2),
        active.sum(1),
        u_active.sum(1),
        u2_active.sum(1),
        _dot(u2_active, u),
        _dot(u2_active, u2),
        _where(size, ">=", c.kick).sum(1),
        ratio.sum(1),
        _where(ratio, ">", SPIKE_RATIO).sum(1),
        cold.sum(1),
        _where(root_before, "<", 10 * c.epsilon).sum(1),
        zero.float().sum(1),
        present_cold.sum(1),
        root_before.square_().sum(1),
        _dot(x.w, x.w),
    ]
    return BlockSums(torch.stack(columns, dim=1), size.amax(1), u, active)


def _dot(a: Tensor, b: Tensor) -> Tensor:
    return (a * b).sum(1)


COMPARE = {">": torch.gt, "<": torch.lt, ">=": torch.ge}


def _where(a: Tensor, relation: str, b: Tensor | float) -> Tensor:
    """Return 1.0 where the relation holds, else 0.0, without a boolean tensor in between."""
    result: Tensor = COMPARE[relation](a, b, out=torch.empty_like(a))
    return result


def histograms(u: Tensor, active: Tensor, tensor_of_block: Tensor, n_tensors: int) -> Tensor:
    """Return counts of u for each tensor, `[T, 2, 64]`: of its idle and of its active coordinates."""
    scale = N_BINS / (2 * HISTOGRAM_EDGE)
    bins = (u * scale + N_BINS / 2).nan_to_num_().clamp_(0, N_BINS - 1).to(torch.int64)
    bins += (tensor_of_block[:, None] * 2 * N_BINS) + active.to(torch.int64) * N_BINS
    counts = torch.zeros(n_tensors * 2 * N_BINS, device=u.device)
    counts.scatter_add_(0, bins.view(-1), torch.ones_like(u).view(-1))
    return counts.view(n_tensors, 2, N_BINS)
