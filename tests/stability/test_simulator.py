"""Oracles: the specification's golden values, the closed forms, torch's own Adam. Property: the hard bound."""

import math

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from herd.foundation import UserError
from herd.stability import theory
from herd.stability.simulator import (
    MomentSimulator,
    awakening_updates,
    biased_updates,
    correlated_updates,
    cosine,
    partial_awakening,
    predict,
    shape_statistics,
    simulate,
    update_histogram,
)


def test_the_moments_are_those_of_torch_adam() -> None:
    rng = np.random.default_rng(0)
    weight = torch.nn.Parameter(torch.zeros(7, dtype=torch.float64))
    peer = torch.optim.Adam([weight], lr=1.0, betas=(0.8, 0.97), eps=1e-3)
    ours = MomentSimulator(0.8, 0.97, 1e-3)
    for _ in range(20):
        g = rng.standard_normal(7)
        weight.grad = torch.from_numpy(g.copy())
        peer.step()
        ours.step(g)
    np.testing.assert_allclose(ours.m, peer.state[weight]["exp_avg"].numpy(), rtol=1e-12)
    np.testing.assert_allclose(ours.v, peer.state[weight]["exp_avg_sq"].numpy(), rtol=1e-12)
    np.testing.assert_allclose(ours.update(), ours.m / (np.sqrt(ours.v) + 1e-3), rtol=1e-12)


def test_nothing_divided_by_nothing_is_no_update() -> None:
    adam = MomentSimulator(0.9, 0.95)
    adam.step(np.array([0.0, 1.0]))
    assert adam.update()[0] == 0
    assert adam.update()[1] == pytest.approx(theory.fresh_gradient_update(0.9, 0.95))


@pytest.mark.parametrize(
    ("beta2", "rho", "rms", "bc", "valley"),
    [
        (0.95, 0.0, 0.226, 0.37, 0.98),
        (0.95, 0.9, 0.62, 0.57, 0.76),
        (0.95, 0.99, 0.84, 0.77, 0.13),
        (0.999, 0.0, 0.229, 0.33, 0.99),
        (0.999, 0.9, 0.70, 0.35, 0.90),
    ],
)
def test_correlated_gradients_give_the_golden_values(
    beta2: float, rho: float, rms: float, bc: float, valley: float
) -> None:
    g, m_before, _, u = correlated_updates(0.9, beta2, rho, np.random.default_rng(1), n_steps=300)
    shape = shape_statistics(u)
    assert shape.update_rms == pytest.approx(rms, abs=0.01)
    assert shape.bimodality == pytest.approx(bc, abs=0.02)
    assert shape.valley_ratio == pytest.approx(valley, abs=0.08)
    expected = theory.gradient_momentum_cosine(0.9, rho)
    assert cosine(g, m_before) == pytest.approx(expected, abs=0.02)


def test_lanes_of_several_constants_equal_runs_of_one() -> None:
    beta2s, rhos = np.array([0.95, 0.999])[:, None, None], np.array([0.5, 0.9])[:, None]
    together = correlated_updates(
        0.9, beta2s, rhos, np.random.default_rng(3), n_coordinates=50, n_steps=40
    )[3]
    alone = correlated_updates(
        0.9, 0.999, 0.9, np.random.default_rng(3), n_coordinates=50, n_steps=40
    )[3]
    np.testing.assert_array_equal(together[1, 1], alone)


@pytest.mark.parametrize(
    ("signal", "rms", "bc", "valley"), [(0.1, 0.245, 0.38, 0.99), (1.0, 0.715, 0.91, 0.0)]
)
def test_a_signal_gives_the_golden_values(
    signal: float, rms: float, bc: float, valley: float
) -> None:
    u = biased_updates(0.9, 0.95, np.array([[signal]]), np.random.default_rng(0))[2]
    shape = shape_statistics(u)
    assert shape.update_rms == pytest.approx(rms, abs=0.01)
    assert shape.bimodality == pytest.approx(bc, abs=0.02)
    assert shape.valley_ratio == pytest.approx(valley, abs=0.08)


def test_an_awakening_splits_the_update_in_two_points() -> None:
    updates = awakening_updates(0.9, 0.95, 0.9, np.random.default_rng(0))
    assert shape_statistics(updates[0]).update_rms == pytest.approx(0.0023, abs=2e-4)
    kick = shape_statistics(updates[1])
    assert kick.update_rms == pytest.approx(0.401, abs=0.005)
    assert kick.bimodality == pytest.approx(0.94, abs=0.01)
    assert shape_statistics(updates[10]).update_rms == pytest.approx(0.747, abs=0.015)


def test_a_partial_awakening_hides_from_the_raw_bimodality() -> None:
    u = partial_awakening(np.random.default_rng(0), kick=0.447, frozen_rms=0.0023)
    shape = shape_statistics(u)
    assert shape.update_rms == pytest.approx(0.141, abs=0.002)
    assert shape.bimodality == pytest.approx(0.10, abs=0.01)
    assert (np.abs(u) > 0.44).mean() == pytest.approx(0.1)


def test_what_lies_beyond_the_histogram_feigns_no_hump() -> None:
    assert sum(update_histogram(np.array([0.0, 5.0, -5.0]))) == 1


@settings(max_examples=60, deadline=None)
@given(
    beta1=st.floats(0.0, 0.95),
    headroom=st.floats(0.02, 0.98),
    gradients=st.lists(
        st.floats(-1e6, 1e6).filter(lambda g: g == 0 or abs(g) > 1e-6), min_size=1, max_size=40
    ),
    epsilon=st.sampled_from([0.0, 1e-8, 1.0]),
)
def test_the_update_never_exceeds_the_hard_bound(
    beta1: float, headroom: float, gradients: list[float], epsilon: float
) -> None:
    beta2 = beta1**2 + headroom * (1 - beta1**2)
    adam = MomentSimulator(beta1, beta2, epsilon)
    bound = theory.update_hard_bound(beta1, beta2)
    for g in gradients:
        adam.step(np.array([g]))
        assert abs(adam.update()[0]) <= bound * (1 + 1e-9)


def test_the_worst_history_meets_the_hard_bound() -> None:
    adam = MomentSimulator(0.9, 0.95)
    for g in (0.9 / 0.95) ** np.arange(400)[::-1]:
        adam.step(np.array([g]))
    assert adam.update()[0] == pytest.approx(theory.update_hard_bound(0.9, 0.95), rel=1e-6)


def test_the_same_seed_gives_equal_bits_and_another_does_not() -> None:
    first, again, other = (
        simulate(0.9, 0.95, 0.9, n_coordinates=500, n_steps=50, seed=seed) for seed in (4, 4, 5)
    )
    assert first == again
    assert first != other


def test_the_prediction_sets_formula_beside_simulation() -> None:
    rows = {row.name: row for row in predict(0.9, 0.999, 0.5)}
    compared = [row for row in rows.values() if None not in (row.formula, row.simulated)]
    assert len(compared) >= 8
    for row in compared:
        assert row.simulated == pytest.approx(row.formula, abs=0.02), row.name
    assert rows["hard bound of |u|, any history"].simulated is None


def test_epsilon_in_units_of_the_gradient_freezes_the_prediction() -> None:
    frozen = predict(0.9, 0.999, 0.0, epsilon=100.0)[0]
    assert frozen.formula == pytest.approx(0.2294 / 101, rel=1e-3)
    assert frozen.simulated == pytest.approx(frozen.formula, rel=0.02)


@pytest.mark.parametrize(
    ("arguments", "options"),
    [
        ((1.0, 0.95, 0.0), {}),
        ((0.9, -0.1, 0.0), {}),
        ((0.9, 0.95, 1.5), {}),
        ((math.nan, 0.95, 0.0), {}),
        ((0.9, 0.95, 0.0), {"epsilon": -1.0}),
        ((0.9, 0.95, 0.0), {"epsilon": math.inf}),
        ((0.9, 0.95, 0.0), {"n_steps": 1}),
    ],
)
def test_constants_out_of_range_are_refused(
    arguments: tuple[float, float, float], options: dict[str, float]
) -> None:
    with pytest.raises(UserError):
        simulate(*arguments, **options)
