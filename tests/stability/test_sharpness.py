"""Sharpness against whole Hessians in float64, and against what Adam does at the edge."""

import copy
import math
from typing import Any

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from torch import Tensor, nn

from herd.foundation import UserError
from herd.stability.sharpness import Sharpness, largest_eigenvalue, preconditioned_sharpness
from herd.stability.theory import sharpness_threshold

BETAS, EPSILON = (0.9, 0.95), 1e-6


def normal(*shape: int, seed: int = 0) -> Tensor:
    return torch.randn(*shape, generator=torch.Generator().manual_seed(seed), dtype=torch.float64)


def symmetric(n: int, seed: int = 0) -> Tensor:
    half = normal(n, n, seed=seed)
    return half + half.T


def quadratic(
    hessian: Tensor, v: Tensor, rate: float = 1e-2, kind: type = torch.optim.Adam, **settings: Any
) -> tuple[Any, nn.Parameter, torch.optim.Optimizer]:
    """A quadratic loss whose Adam has seen so many steps that its bias is gone."""
    weight = nn.Parameter(normal(len(v), seed=7))
    optimizer = kind([weight], lr=rate, betas=BETAS, eps=EPSILON, **settings)
    state = {"step": torch.tensor(1e6), "exp_avg": torch.zeros_like(v), "exp_avg_sq": v}
    optimizer.state[weight] = state
    return lambda: 0.5 * weight @ hessian @ weight, weight, optimizer


def exact(hessian: Tensor, d: Tensor) -> float:
    return float(torch.linalg.eigvalsh(d.sqrt()[:, None] * hessian * d.sqrt())[-1])


@pytest.mark.parametrize("differences", [False, True])
@pytest.mark.parametrize("sign", [1.0, -1.0])
def test_it_is_the_largest_eigenvalue_of_a_quadratic_even_if_a_negative_one_is_larger(
    sign: float, differences: bool
) -> None:
    base = symmetric(12)
    hessian, v = sign * (base + 3 * torch.eye(12)), normal(12, seed=1).square()
    loss_fn, weight, optimizer = quadratic(hessian, v)
    found = preconditioned_sharpness(loss_fn, [weight], optimizer, differences=differences)
    d = 1 / (v.sqrt() + EPSILON)
    assert found.sharpness == pytest.approx(exact(hessian, d), rel=1e-6)
    assert found.residual < 1e-3 * abs(found.sharpness)
    assert found.threshold == pytest.approx(38 / 1e-2)
    assert found.ratio == pytest.approx(found.sharpness / found.threshold)
    g = (hessian @ weight).detach()
    assert found.gradient_curvature == pytest.approx(float(g @ hessian @ g / (g @ g)))
    scaled = d.sqrt() * g
    assert found.preconditioned_gradient_curvature == pytest.approx(
        float(scaled @ hessian @ scaled / (g @ g))
    )


def small_network() -> tuple[nn.Module, Any]:
    torch.manual_seed(0)
    model = nn.Sequential(nn.Linear(3, 5), nn.Tanh(), nn.Linear(5, 2)).double()
    x, y = normal(16, 3), normal(16, 2, seed=1)
    return model, lambda: nn.functional.mse_loss(model(x), y)


@pytest.mark.parametrize("kind", [torch.optim.Adam, torch.optim.AdamW])
@pytest.mark.parametrize("amsgrad", [False, True])
def test_it_is_the_largest_eigenvalue_of_a_networks_whole_hessian(
    kind: type, amsgrad: bool
) -> None:
    model, loss_fn = small_network()
    optimizer = kind(model.parameters(), lr=1e-2, weight_decay=0.1, amsgrad=amsgrad)
    for _ in range(30):
        optimizer.zero_grad()
        loss_fn().backward()
        optimizer.step()
    found = preconditioned_sharpness(loss_fn, model.parameters(), optimizer, 32)
    parameters = dict(model.named_parameters())
    flat = torch.cat([each.detach().flatten() for each in parameters.values()])

    def loss_of(flat: Tensor) -> Tensor:
        parts = flat.split([each.numel() for each in parameters.values()])
        named = {k: p.view_as(v) for (k, v), p in zip(parameters.items(), parts, strict=True)}
        x, y = normal(16, 3), normal(16, 2, seed=1)
        return nn.functional.mse_loss(torch.func.functional_call(model, named, x), y)

    hessian = torch.autograd.functional.hessian(loss_of, flat)
    if kind is torch.optim.Adam:  # whose decay is a part of the gradient
        hessian = hessian + 0.1 * torch.eye(len(flat))
    key = "max_exp_avg_sq" if amsgrad else "exp_avg_sq"
    v = torch.cat([optimizer.state[each][key].flatten() for each in parameters.values()])
    d = 1 / ((v / (1 - 0.999**30)).sqrt() + 1e-8)
    assert found.sharpness == pytest.approx(exact(hessian, d), rel=1e-6)
    near = preconditioned_sharpness(loss_fn, model.parameters(), optimizer, 32, differences=True)
    assert near.sharpness == pytest.approx(found.sharpness, rel=1e-5)
    assert near.gradient_curvature == pytest.approx(found.gradient_curvature, rel=1e-5)


@settings(max_examples=15, deadline=None)
@given(st.floats(1e-3, 1e3), st.integers(0, 100))
def test_scaling_the_loss_scales_it(factor: float, seed: int) -> None:
    hessian, v = symmetric(8, seed), normal(8, seed=seed + 1).square()
    loss_fn, weight, optimizer = quadratic(hessian, v)
    once = preconditioned_sharpness(loss_fn, [weight], optimizer)
    scaled = preconditioned_sharpness(lambda: factor * loss_fn(), [weight], optimizer)
    assert scaled.sharpness == pytest.approx(factor * once.sharpness, rel=1e-5)
    assert scaled.gradient_curvature == pytest.approx(factor * once.gradient_curvature)


def final_size(rate: float, hessian: Tensor, d: Tensor, beta1: float) -> float:
    """Run Adam with a frozen preconditioner; return how far from the minimum it ends."""
    weight, m = normal(len(d), seed=3), torch.zeros(len(d), dtype=torch.float64)
    for _ in range(3000):
        m = beta1 * m + (1 - beta1) * hessian @ weight
        weight = weight - rate * d * m
    return float(weight.norm())


@pytest.mark.parametrize("beta1", [0.0, 0.5, 0.9])
def test_adam_diverges_just_above_a_ratio_of_one_and_converges_just_below(beta1: float) -> None:
    half = normal(6, 6)
    hessian, v = half @ half.T + 0.1 * torch.eye(6), 0.1 + normal(6, seed=1).square()
    d = 1 / (v.sqrt() + EPSILON)
    loss_fn, weight, optimizer = quadratic(hessian, v)
    at_edge = (
        sharpness_threshold(beta1, 1.0)
        / preconditioned_sharpness(loss_fn, [weight], optimizer).sharpness
    )
    for nearness, diverges in ((0.98, False), (1.02, True)):
        optimizer.param_groups[0].update(lr=nearness * at_edge, betas=(beta1, BETAS[1]))
        found = preconditioned_sharpness(loss_fn, [weight], optimizer)
        assert found.ratio == pytest.approx(nearness, rel=1e-6)
        assert (final_size(nearness * at_edge, hessian, d, beta1) > 1e3) == diverges


def test_groups_of_other_rates_count_by_their_share() -> None:
    """A group at half the rate is as a group whose preconditioner is half as large."""
    hessian, v = symmetric(6) + 8 * torch.eye(6), 0.1 + normal(6, seed=1).square()
    first, second = nn.Parameter(normal(3)), nn.Parameter(normal(3, seed=2))
    optimizer = torch.optim.AdamW(
        [{"params": [first]}, {"params": [second], "lr": 5e-3}], lr=1e-2, eps=EPSILON
    )
    for each, part in zip((first, second), v.split(3), strict=True):
        state = {"step": torch.tensor(1e6), "exp_avg": torch.zeros(3), "exp_avg_sq": part}
        optimizer.state[each] = state

    def loss_fn() -> Tensor:
        weight = torch.cat([first, second])
        return 0.5 * weight @ hessian @ weight

    found = preconditioned_sharpness(loss_fn, [first, second], optimizer)
    d = torch.cat([torch.ones(3), 0.5 * torch.ones(3)]) / (v.sqrt() + EPSILON)
    assert found.sharpness == pytest.approx(exact(hessian, d), rel=1e-6)
    assert found.threshold == pytest.approx(38 / 1e-2)


@pytest.mark.parametrize("differences", [False, True])
def test_gradients_weights_moments_and_random_state_stay_as_they_were(differences: bool) -> None:
    torch.manual_seed(0)
    model = nn.Sequential(nn.Linear(4, 8), nn.Dropout(0.5), nn.GELU(), nn.Linear(8, 1))
    optimizer = torch.optim.AdamW(model.parameters())
    model(torch.randn(5, 4)).square().mean().backward()
    optimizer.step()
    x, random = torch.randn(5, 4), torch.get_rng_state()
    before = [(each.detach().clone(), each.grad.clone()) for each in model.parameters()]
    state = copy.deepcopy(optimizer.state_dict()["state"])
    first, again = (
        preconditioned_sharpness(
            lambda: model(x).square().mean(), model.parameters(), optimizer, differences=differences
        )
        for _ in range(2)
    )
    assert first == again
    torch.testing.assert_close(optimizer.state_dict()["state"], state, rtol=0, atol=0)
    assert torch.equal(torch.get_rng_state(), random)
    for (weight, gradient), each in zip(before, model.parameters(), strict=True):
        assert torch.equal(each, weight) and torch.equal(each.grad, gradient)


def test_fused_attention_has_a_second_derivative_here() -> None:
    layer = nn.Linear(8, 8)
    optimizer = torch.optim.AdamW(layer.parameters())
    x = torch.randn(1, 2, 4, 8, generator=torch.Generator().manual_seed(0))

    def loss_fn() -> Tensor:
        q = layer(x)
        return nn.functional.scaled_dot_product_attention(q, q, q, is_causal=True).square().mean()

    loss_fn().backward()
    optimizer.step()
    assert isinstance(preconditioned_sharpness(loss_fn, layer.parameters(), optimizer), Sharpness)


class OnceSquared(torch.autograd.Function):
    """A square whose backward pass has no derivative, as that of hand-written kernels."""

    @staticmethod
    def forward(ctx: Any, x: Tensor) -> Tensor:
        ctx.save_for_backward(x)
        return x.square()

    @staticmethod
    @torch.autograd.function.once_differentiable
    def backward(ctx: Any, gradient: Tensor) -> Tensor:
        return 2 * gradient * ctx.saved_tensors[0]


def test_a_loss_without_second_derivative_is_named_and_measured_by_differences() -> None:
    weight = nn.Parameter(torch.tensor([1.0, -2.0]))
    optimizer = torch.optim.Adam([weight])
    state = {"step": torch.tensor(1e6), "exp_avg": torch.zeros(2), "exp_avg_sq": torch.ones(2)}
    optimizer.state[weight] = state

    def loss_fn() -> Tensor:
        return (OnceSquared.apply(weight) * torch.tensor([3.0, 1.0])).sum()

    with pytest.raises(UserError, match="differences=True"):
        preconditioned_sharpness(loss_fn, [weight], optimizer)
    found = preconditioned_sharpness(loss_fn, [weight], optimizer, differences=True)
    assert found.sharpness == pytest.approx(6, rel=1e-3)


def test_largest_eigenvalue_of_few_dimensions_ends_early_and_of_not_finite_is_not_a_number() -> (
    None
):
    matrix = torch.diag(torch.tensor([2.0, -5.0], dtype=torch.float64))
    value, residual, n = largest_eigenvalue(lambda z: [matrix @ z[0]], [normal(2)], 20)
    assert value == pytest.approx(2) and residual < 1e-6 and n == 2
    value, _, _ = largest_eigenvalue(lambda z: [z[0] * math.nan], [normal(2)], 3)
    assert math.isnan(value)


@pytest.mark.filterwarnings("ignore:.*torch.optim.*")
def test_what_cannot_be_measured_is_said() -> None:
    loss_fn, weight, optimizer = quadratic(symmetric(3), torch.ones(3, dtype=torch.float64))
    with pytest.raises(UserError, match="not of SGD"):
        preconditioned_sharpness(loss_fn, [weight], torch.optim.SGD([weight], lr=0.1))
    with pytest.raises(UserError, match="has not stepped"):
        preconditioned_sharpness(loss_fn, [weight], torch.optim.AdamW([weight]))
    with pytest.raises(UserError, match="are not the optimizer's"):
        preconditioned_sharpness(loss_fn, [nn.Parameter(torch.ones(3))], optimizer)
    with pytest.raises(UserError, match="one number"):
        preconditioned_sharpness(lambda: weight * 2, [weight], optimizer)
    with pytest.raises(UserError, match="at least one"):
        preconditioned_sharpness(loss_fn, [], optimizer)
