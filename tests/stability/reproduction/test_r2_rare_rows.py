"""Oracles: torch.optim.SparseAdam and Adam, the closed form, and the fresh gradient of section 3.4."""

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from herd.stability import theory
from herd.stability.reproduction.r2_return import simulate_returns
from herd.stability.reproduction.r2_sparse_rows import (
    RowAdam,
    RowArm,
    half_kick_absence_steps,
    kick_distance,
    update_at_return,
)
from herd.stability.reproduction.r2_zipf import class_names, run_zipf

N_ROWS, N_DIMENSIONS = 6, 3


@pytest.mark.parametrize("lazy", [False, True])
def test_moments_are_those_of_torchs_dense_and_sparse_adam(lazy: bool) -> None:
    rng = np.random.default_rng(0)
    table = torch.nn.Embedding(N_ROWS, N_DIMENSIONS, sparse=lazy, dtype=torch.float64)
    kind = torch.optim.SparseAdam if lazy else torch.optim.Adam
    peer = kind(table.parameters(), lr=1e-3, betas=(0.9, 0.98))
    ours = RowAdam([RowArm(beta2=0.98, lazy=lazy)], N_ROWS, N_DIMENSIONS)
    for _ in range(30):
        rows = rng.choice(N_ROWS, 2, replace=False)
        g = np.zeros((N_ROWS, N_DIMENSIONS))
        g[rows] = rng.standard_normal((2, N_DIMENSIONS))
        peer.zero_grad()
        (table(torch.tensor(rows)) * torch.tensor(g[rows])).sum().backward()
        peer.step()
        present = np.zeros((N_ROWS, 1), dtype=bool)
        present[rows] = True
        ours.step(g, present)
    state = peer.state[table.weight]
    np.testing.assert_allclose(ours.m[0], state["exp_avg"].numpy(), rtol=1e-12, atol=1e-15)
    np.testing.assert_allclose(ours.v[0], state["exp_avg_sq"].numpy(), rtol=1e-12, atol=1e-15)


def test_every_return_equals_its_closed_form() -> None:
    simulated, expected, tail_error, distances = simulate_returns()
    np.testing.assert_allclose(simulated, expected, rtol=1e-9)
    assert tail_error < 1e-12
    for beta2, distance in distances.items():
        assert distance == pytest.approx(kick_distance(beta2), rel=1e-9)


@settings(max_examples=40, deadline=None)
@given(
    m=st.floats(-1, 1),
    v=st.floats(0.01, 4),
    n_absent=st.integers(0, 60),
    gradient=st.floats(0.01, 3),
    beta2=st.floats(0.9, 0.999),
    lazy=st.booleans(),
)
def test_the_closed_form_holds_from_any_state(
    m: float, v: float, n_absent: int, gradient: float, beta2: float, lazy: bool
) -> None:
    arm = RowArm(beta2=beta2, epsilon=1e-3, lazy=lazy)
    adam = RowAdam([arm], 1, 1)
    adam.m, adam.v = np.full((1, 1, 1), m), np.full((1, 1, 1), v)
    for _ in range(n_absent):
        adam.step(np.zeros((1, 1)), np.zeros((1, 1), dtype=bool))
    u = adam.step(np.full((1, 1), gradient), np.ones((1, 1), dtype=bool))[0, 0, 0]
    assert u == pytest.approx(update_at_return(arm, m, v, n_absent, gradient), rel=1e-9, abs=1e-12)


@pytest.mark.parametrize("beta2", [0.95, 0.98, 0.999])
def test_a_long_absence_leaves_the_fresh_gradient(beta2: float) -> None:
    kick = theory.fresh_gradient_update(0.9, beta2)
    assert update_at_return(RowArm(beta2=beta2), 0.3, 1.0, 100_000) == pytest.approx(kick)
    half = half_kick_absence_steps(beta2)
    assert update_at_return(RowArm(beta2=beta2), 0.0, 1.0, round(half)) == pytest.approx(
        kick / 2, rel=0.02
    )


def test_the_guard_makes_a_step_of_one_minus_beta1_unless_epsilon_forbids() -> None:
    free = RowArm(beta2=0.95, guard=True)
    bound = RowArm(beta2=0.95, guard=True, epsilon=1e-8, guard_below_epsilon=True)
    assert update_at_return(free, 0.0, 1.0, 200) == pytest.approx(0.1)
    assert update_at_return(bound, 0.0, 1.0, 200) > 0.4


def test_zipf_repeats_bit_for_bit_and_lazy_rows_do_not_wander() -> None:
    arms = [RowArm(beta2=0.95), RowArm(beta2=0.95, lazy=True)]
    first, again = run_zipf(arms, [1]), run_zipf(arms, [0, 1])
    np.testing.assert_array_equal(first.update_rms[0], again.update_rms[1])
    assert first.walk[0, 0] > 3 * first.walk[0, 1]
    assert first.update_rms.shape == (1, 2, len(class_names()))
