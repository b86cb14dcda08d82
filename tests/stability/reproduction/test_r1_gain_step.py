"""Oracles: torch.autograd and a plain loop. Properties: seeds are independent, bits repeat."""

import dataclasses
import math

import numpy as np
import pytest
import torch

from herd.foundation import UserError
from herd.stability import theory
from herd.stability.reproduction.r1_chain_results import at_peak
from herd.stability.reproduction.r1_gain_step import (
    Arm,
    GainStepTask,
    loss_and_gradient,
    run_gain_step,
)
from herd.stability.reproduction.r1_gated_chain import ChainArm, run_gated_chain

SMALL = GainStepTask(n_dimensions=16, batch_size=64, n_cold_steps=80, n_awake_steps=45)
ARMS = (
    Arm(beta2=0.95, epsilon=1e-6),
    Arm(beta2=0.999, epsilon=1e-6),
    Arm(beta2=0.999, epsilon=1e-6, cold_guard=True),
    Arm(beta2=0.999, epsilon=1e-6, update_clip=0.46),
    Arm(beta2=0.95, epsilon=0.0),
    Arm(beta2=0.999, epsilon=1e-6, permute_signs=True),
    Arm(beta2=0.95, epsilon=1e-6, awake_share=0.25),
)


def test_the_gradient_is_autograds() -> None:
    rng = np.random.default_rng(0)
    x = rng.standard_normal((1, 32, 5)).astype(np.float32)
    labels = rng.integers(0, 2, (1, 32, 1)).astype(np.float32)
    true_logits = rng.standard_normal((1, 32, 1)).astype(np.float32)
    offset, gain = rng.standard_normal((1, 5, 1)), np.full((5, 1), 0.3)
    loss, gradient = loss_and_gradient((x, true_logits, labels), offset, gain)
    a = torch.tensor(offset[0, :, 0], requires_grad=True)
    logits = torch.tensor(true_logits[0, :, 0]) + 0.3 * torch.tensor(x[0]).double() @ a
    target = torch.tensor(labels[0, :, 0]).double()
    expected = torch.nn.functional.binary_cross_entropy_with_logits(logits, target)
    expected.backward()
    assert loss[0, 0] == pytest.approx(expected.item(), rel=1e-5)
    np.testing.assert_allclose(gradient[0, :, 0], a.grad.numpy(), rtol=1e-4, atol=1e-7)


@pytest.mark.parametrize("column", range(len(ARMS)))
def test_an_arm_among_others_equals_the_arm_alone(column: int) -> None:
    together = run_gain_step(SMALL, ARMS, [0, 1])
    alone = run_gain_step(SMALL, [ARMS[column]], [0, 1])
    np.testing.assert_allclose(
        together.update_rms[:, :, column], alone.update_rms[:, :, 0], rtol=2e-2, atol=1e-3
    )


def test_a_seed_gives_equal_bits_whatever_runs_beside_it() -> None:
    both = run_gain_step(SMALL, ARMS, [3, 7])
    again, alone = run_gain_step(SMALL, ARMS, [3, 7]), run_gain_step(SMALL, ARMS, [7])
    np.testing.assert_array_equal(both.loss_nats, again.loss_nats)
    np.testing.assert_array_equal(both.loss_nats[1], alone.loss_nats[0])
    np.testing.assert_array_equal(both.update_rms[1], alone.update_rms[0])


def test_the_kick_has_the_size_of_the_algebra_and_the_guard_removes_it() -> None:
    trace = run_gain_step(SMALL, ARMS, range(3))
    kick = trace.update_rms[:, SMALL.n_cold_steps].mean(0)
    assert kick[0] == pytest.approx(theory.fresh_gradient_update(0.9, 0.95), rel=0.03)
    assert kick[1] == pytest.approx(theory.fresh_gradient_update(0.9, 0.999), rel=0.03)
    assert kick[2] == pytest.approx(0.1, rel=0.03)
    assert kick[6] == pytest.approx(kick[0] / 2, rel=0.05)  # a quarter of the coordinates


def test_permuted_signs_keep_the_norm_and_lose_the_direction() -> None:
    trace = run_gain_step(SMALL, ARMS, range(3), [SMALL.n_cold_steps])
    u = trace.updates[SMALL.n_cold_steps]
    np.testing.assert_allclose(np.abs(u[:, :, 5]), np.abs(u[:, :, 1]))
    assert (np.sign(u[:, :, 5]) != np.sign(u[:, :, 1])).any()


def test_epsilon_zero_keeps_a_silent_layer_moving() -> None:
    trace = run_gain_step(SMALL, ARMS, range(3))
    cold = trace.update_rms[:, SMALL.n_cold_steps - 20 : SMALL.n_cold_steps].mean((0, 1))
    assert cold[4] == pytest.approx(0.229, abs=0.03)
    assert cold[0] < 0.02
    assert trace.cold_fraction[:, SMALL.n_cold_steps - 1, 0].min() == 1.0
    assert trace.cold_fraction[:, SMALL.n_cold_steps - 1, 4].max() == 0.0


def test_the_spike_score_is_the_rise_in_standard_deviations() -> None:
    trace = run_gain_step(SMALL, ARMS[:1], [0])
    losses = [float(v) for v in trace.loss_nats[0, :, 0]]
    before = losses[20:80]
    mean = sum(before) / 60
    deviation = math.sqrt(sum((v - mean) ** 2 for v in before) / 60)
    assert trace.spike_scores()[0, 0] == pytest.approx((max(losses[80:120]) - mean) / deviation)


@pytest.mark.parametrize(
    "change", [{"n_dimensions": 0}, {"batch_size": 0}, {"n_cold_steps": 10}, {"n_awake_steps": 1}]
)
def test_impossible_sizes_are_refused(change: dict[str, int]) -> None:
    with pytest.raises(UserError):
        dataclasses.replace(SMALL, **change)


def test_a_gated_chain_awakens_downhill() -> None:
    trace = run_gated_chain([ChainArm(epsilon=1e-8, n_gates=2)], [0])
    rms, alignment, _ = at_peak(trace)
    assert rms[0, 0] == pytest.approx(0.91, abs=0.05)
    assert alignment[0, 0] > 0.5
    assert trace.loss_nats[0, -20:, 0].mean() < 0.3
