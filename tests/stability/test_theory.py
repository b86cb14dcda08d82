"""The closed forms against the numbers of the theory sheet and against Adam run by hand."""

import math

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from herd.foundation import UserError
from herd.stability import theory

BETAS = [(0.9, 0.95), (0.9, 0.98), (0.9, 0.999)]


@pytest.mark.parametrize(
    ("betas", "n_gradients", "expected"),
    [
        ((0.9, 0.95), 1, 0.447),
        ((0.9, 0.95), 2, 0.608),
        ((0.9, 0.95), 5, 0.861),
        ((0.9, 0.95), 10, 1.03),
        ((0.9, 0.95), 20, 1.10),
        ((0.9, 0.98), 1, 0.707),
        ((0.9, 0.98), 10, 1.52),
        ((0.9, 0.999), 1, 3.16),
        ((0.9, 0.999), 5, 5.80),
        ((0.9, 0.999), 20, 6.24),
    ],
)
def test_a_cold_coordinate_is_kicked_as_the_sheet_says(
    betas: tuple[float, float], n_gradients: int, expected: float
) -> None:
    assert theory.fresh_gradient_update(*betas, n_gradients) == pytest.approx(expected, abs=0.006)


@pytest.mark.parametrize(("betas", "expected"), list(zip(BETAS, (1.165, 1.70, 7.27), strict=True)))
def test_the_hard_bound_is_the_sheet_s(betas: tuple[float, float], expected: float) -> None:
    assert theory.update_hard_bound(*betas) == pytest.approx(expected, abs=0.006)


@given(
    betas=st.sampled_from(BETAS),
    gradients=st.lists(st.floats(-1e3, 1e3, width=32), min_size=1, max_size=60),
)
def test_no_gradients_push_the_update_beyond_the_hard_bound(
    betas: tuple[float, float], gradients: list[float]
) -> None:
    beta1, beta2 = betas
    m = v = 0.0
    for g in gradients:
        m, v = beta1 * m + (1 - beta1) * g, beta2 * v + (1 - beta2) * g * g
        if v > 1e-200:
            assert abs(m) / math.sqrt(v) <= theory.update_hard_bound(*betas) * (1 + 1e-9)


@pytest.mark.parametrize("n_later", [1, 4, 9])
def test_after_the_kick_the_update_decays_as_adam_does(n_later: int) -> None:
    beta1, beta2 = 0.9, 0.95
    m, v = 1 - beta1, 1 - beta2
    for _ in range(n_later):
        m, v = beta1 * m, beta2 * v
    assert theory.fresh_gradient_update(beta1, beta2, 1, n_later) == pytest.approx(m / v**0.5)


@pytest.mark.parametrize("rho", [0.0, 0.5, 0.9])
def test_rms_and_cosine_of_correlated_gradients_are_what_adam_shows(rho: float) -> None:
    rng, beta1, beta2 = np.random.default_rng(0), 0.9, 0.999
    g, m, v = rng.normal(size=20_000), np.zeros(20_000), np.ones(20_000)
    for _ in range(300):
        g = rho * g + math.sqrt(1 - rho**2) * rng.normal(size=g.size)
        cosine = g @ m / np.linalg.norm(g) / max(np.linalg.norm(m), 1e-12)
        m, v = beta1 * m + (1 - beta1) * g, beta2 * v + (1 - beta2) * g**2
    rms = float(np.sqrt(np.mean(m**2 / v)))
    assert rms == pytest.approx(theory.correlated_update_rms(beta1, rho), abs=0.02)
    assert cosine == pytest.approx(theory.gradient_momentum_cosine(beta1, rho), abs=0.02)


@given(beta1=st.floats(0.1, 0.99), rho=st.floats(-0.99, 0.99))
def test_the_correlation_comes_back_from_the_rms_and_from_the_cosine(
    beta1: float, rho: float
) -> None:
    rms = theory.correlated_update_rms(beta1, rho)
    assert theory.correlation_from_update_rms(beta1, rms) == pytest.approx(rho, abs=1e-6)
    cosine = theory.gradient_momentum_cosine(beta1, rho)
    assert theory.correlation_from_cosine(beta1, cosine) == pytest.approx(rho, abs=1e-6)


def test_the_known_numbers_of_beta1_0_9() -> None:
    assert theory.healthy_update_rms(0.9) == pytest.approx(0.229, abs=5e-4)
    assert theory.frozen_update_rms(0.9, 0.01) == pytest.approx(0.0023, abs=5e-5)
    assert theory.frozen_update_rms(0.9, math.inf) == theory.healthy_update_rms(0.9)
    assert theory.own_update_cosine(0.9) == pytest.approx(0.436, abs=5e-4)
    assert theory.sharpness_threshold(0.9, 0.1) == pytest.approx(380)
    assert theory.memory_steps(0.95) == pytest.approx(20)


@pytest.mark.parametrize(
    "call",
    [
        lambda: theory.healthy_update_rms(1.0),
        lambda: theory.update_hard_bound(0.9, -0.1),
        lambda: theory.correlated_update_rms(0.9, 1.5),
        lambda: theory.fresh_gradient_update(0.9, 0.95, 0),
        lambda: theory.frozen_update_rms(0.9, -1.0),
        lambda: theory.sharpness_threshold(0.9, 0.0),
    ],
)
def test_numbers_out_of_range_are_named(call: object) -> None:
    with pytest.raises(UserError):
        call()  # type: ignore[operator]
