"""The sums of one step against a plain float64 version, coordinate by coordinate."""

import numpy as np
import pytest
import torch

from herd.stability.update_sums import (
    BLOCK,
    N_BINS,
    SUMS,
    BlockConstants,
    Coordinates,
    histograms,
    sum_blocks,
)

BETA1, BETA2, EPSILON, STEP, KICK = 0.9, 0.95, 1e-3, 7, 0.44


def draw(seed: int = 0, n_blocks: int = 3) -> Coordinates:
    generator = torch.Generator().manual_seed(seed)
    g, m, w = (torch.randn(n_blocks, BLOCK, generator=generator) * 1e-2 for _ in range(3))
    v = torch.randn(n_blocks, BLOCK, generator=generator).square() * 1e-5
    g[:, ::7] = 0
    v[:, ::5] = 0
    v_max = v * 2
    return Coordinates(g, m, v, w, v_max)


def constants(n_blocks: int) -> BlockConstants:
    def column(value: float) -> torch.Tensor:
        return torch.full((n_blocks, 1), value)

    return BlockConstants(
        beta1=column(BETA1),
        beta2=column(BETA2),
        epsilon=column(EPSILON),
        bias1=column(1 / (1 - BETA1**STEP)),
        rooted_bias2=column((1 - BETA2**STEP) ** -0.5),
        rooted_bias_before=column((1 - BETA2 ** (STEP - 1)) ** -0.5),
        kick=column(KICK),
    )


def naive(x: Coordinates, row: int, *, amsgrad: bool) -> dict[str, float]:
    g, m_, v_, w = (
        getattr(x, name)[row].double().numpy() for name in ("g", "m_before", "v_before", "w")
    )
    m = BETA1 * m_ + (1 - BETA1) * g
    v = BETA2 * v_ + (1 - BETA2) * g**2
    divisor, divisor_ = v, v_
    if amsgrad:
        divisor_ = x.v_max_before[row].double().numpy()  # type: ignore[index]
        divisor = np.maximum(divisor_, v)
    root = np.sqrt(divisor / (1 - BETA2**STEP))
    u = m / (1 - BETA1**STEP) / (root + EPSILON)
    root_ = np.sqrt(v_ / (1 - BETA2 ** (STEP - 1)))
    p = m_ / (np.sqrt(divisor_ / (1 - BETA2 ** (STEP - 1))) + EPSILON)
    ratio = np.minimum(g**2 / np.maximum(root_**2, EPSILON**2), 1e12)
    active = root > EPSILON
    return {
        "n": len(g), "g2": g @ g, "m2": m_ @ m_, "gm": g @ m_, "p2": p @ p, "gp": g @ p,
        **{f"u{k}": float((u**k).sum()) for k in (1, 2, 3, 4)},
        "active_n": active.sum(),
        **{f"active_u{k}": float((u[active] ** k).sum()) for k in (1, 2, 3, 4)},
        "kicked": (abs(u) >= KICK).sum(), "stable": ratio.sum(), "spiking": (ratio > 5000).sum(),
        "cold": (root_ < EPSILON).sum(), "near_cold": (root_ < 10 * EPSILON).sum(),
        "zero": (g == 0).sum(), "present_cold": ((root_ < EPSILON) & (g != 0)).sum(),
        "v": (root_**2).sum(), "w2": w @ w,
    }  # fmt: skip


@pytest.mark.parametrize("amsgrad", [False, True])
def test_every_sum_is_that_of_the_plain_version(amsgrad: bool) -> None:
    x = draw()
    if not amsgrad:
        x = Coordinates(x.g, x.m_before, x.v_before, x.w)
    found = sum_blocks(x, constants(3)).sums
    for row in range(3):
        expected = naive(x, row, amsgrad=amsgrad)
        for i, name in enumerate(SUMS):
            scale = {"gm": "m2", "gp": "p2"}.get(name, name)
            tolerance = 2e-6 * max(abs(expected[scale]), expected["g2"], 1e-9)
            assert found[row, i] == pytest.approx(expected[name], abs=tolerance, rel=3e-6), name


def test_blocks_are_strangers_to_one_another() -> None:
    x = draw(n_blocks=4)
    alone = Coordinates(*(part[2:3] for part in (x.g, x.m_before, x.v_before, x.w)))
    together = Coordinates(x.g, x.m_before, x.v_before, x.w)
    one, many = sum_blocks(alone, constants(1)), sum_blocks(together, constants(4))
    assert torch.equal(one.sums[0], many.sums[2]) and one.u_max[0] == many.u_max[2]


def test_histograms_count_each_tensor_s_update_like_numpy() -> None:
    generator = torch.Generator().manual_seed(0)
    u = torch.randn(4, BLOCK, generator=generator)
    active = (torch.rand(4, BLOCK, generator=generator) < 0.5).float()
    counts = histograms(u, active, torch.tensor([0, 1, 1, 3]), 4)
    edges = np.linspace(-1.3, 1.3, N_BINS + 1)
    inside = np.clip(u.numpy(), -1.2999, 1.2999)
    for tensor, blocks in ((0, [0]), (1, [1, 2]), (2, []), (3, [3])):
        for kind in (0, 1):
            chosen = inside[blocks][active[blocks].numpy() == kind]
            expected = np.histogram(chosen, edges)[0]
            assert abs(counts[tensor, kind].numpy() - expected).sum() <= 2  # a value on an edge
    assert counts.sum() == u.numel()
