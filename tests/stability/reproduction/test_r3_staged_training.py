"""The staged training: Adam against torch's, seeds, controls and what is recorded."""

from dataclasses import replace

import numpy as np
import pytest
import torch

from herd.foundation import UserError
from herd.stability.reproduction.r3_staged_task import StagedArm, StagedTask
from herd.stability.reproduction.r3_staged_training import (
    FlatAdam,
    Foundation,
    lay_foundation,
    train_arm,
)
from herd.stability.reproduction.r3_transformer import DecoderShape

TASK = StagedTask(
    shape=DecoderShape(n_layers=1, width=8, n_heads=2, n_positions=4, vocabulary=8),
    batch_size=8,
    n_foundation_steps=12,
    n_cold_steps=10,
    n_awake_steps=4,
    n_warmup_steps=4,
)
ARM = StagedArm(name="arm", epsilon=1e-3)


@pytest.fixture(scope="module")
def foundation() -> Foundation:
    return lay_foundation(TASK, [0, 1])


@pytest.mark.parametrize("beta2", [0.95, 0.999])
@pytest.mark.parametrize("epsilon", [1e-8, 1e-2])
def test_the_flat_adam_equals_torchs(beta2: float, epsilon: float) -> None:
    generator = torch.Generator().manual_seed(0)
    weights = torch.randn(3, 7, generator=generator)
    parameter = torch.nn.Parameter(weights.clone())
    peer = torch.optim.AdamW([parameter], lr=0.1, betas=(0.9, beta2), eps=epsilon, weight_decay=0.0)
    adam = FlatAdam(weights, beta2=beta2, epsilon=epsilon)
    for _ in range(20):
        gradient = torch.randn(3, 7, generator=generator) * 1e-2
        parameter.grad = gradient
        peer.step()
        weights = weights - 0.1 * adam.update(gradient)
    torch.testing.assert_close(weights, parameter.detach(), atol=1e-5, rtol=1e-4)


def test_nothing_divided_by_nothing_is_no_update() -> None:
    adam = FlatAdam(torch.zeros(1, 2), beta2=0.95, epsilon=0.0)
    update = adam.update(torch.tensor([[0.0, 1e-3]]))
    torch.testing.assert_close(update, torch.tensor([[0.0, 1.0]]))


def test_a_seed_trains_alike_alone_and_beside_another(foundation: Foundation) -> None:
    both = train_arm(foundation, ARM)
    alone = train_arm(lay_foundation(TASK, [1]), ARM)
    np.testing.assert_allclose(both.loss_nats[1], alone.loss_nats[0], rtol=1e-3)
    np.testing.assert_allclose(both.update_rms[1], alone.update_rms[0], rtol=2e-2, atol=1e-4)


def test_the_same_seed_gives_the_same_bits(foundation: Foundation) -> None:
    first, second = (train_arm(foundation, ARM, probe=True) for _ in range(2))
    np.testing.assert_array_equal(first.loss_nats, second.loss_nats)
    np.testing.assert_array_equal(first.noise["new"], second.noise["new"])


def test_a_probe_does_not_change_the_training(foundation: Foundation) -> None:
    plain, probed = (train_arm(foundation, ARM, probe=probe) for probe in (False, True))
    np.testing.assert_array_equal(plain.loss_nats, probed.loss_nats)


def test_at_the_switch_frozen_and_trained_weights_lose_alike(foundation: Foundation) -> None:
    trace = train_arm(foundation, ARM, histogram_steps=(0,))
    switch = trace.switch
    assert np.isnan(trace.frozen_loss_nats[:, :switch]).all()
    np.testing.assert_allclose(
        trace.frozen_loss_nats[:, switch], trace.loss_nats[:, switch], rtol=1e-6
    )
    n_layers = len(TASK.shape.layers)
    assert trace.update_rms.shape == (2, 14, n_layers)
    assert trace.histograms[0].shape == (n_layers, 64)
    columns = TASK.shape.layers["embedding"]
    assert trace.histograms[0][0].sum() == 2 * (columns.stop - columns.start)


def test_without_a_switch_the_new_language_never_comes(foundation: Foundation) -> None:
    arms = (ARM, replace(ARM, switches=False))
    switched, stayed = (train_arm(foundation, arm) for arm in arms)
    np.testing.assert_array_equal(switched.loss_nats[:, :10], stayed.loss_nats[:, :10])
    assert (switched.loss_nats[:, 10] > stayed.loss_nats[:, 10]).all()


def test_a_refreshed_v_makes_the_kick_smaller(foundation: Foundation) -> None:
    arms = (ARM, replace(ARM, refresh_v=True))
    kicked, guarded = (train_arm(foundation, arm) for arm in arms)
    np.testing.assert_array_equal(kicked.loss_nats[:, :11], guarded.loss_nats[:, :11])
    assert (guarded.update_rms[:, 10] < kicked.update_rms[:, 10]).all()


def test_an_epsilon_above_every_gradient_is_cold_and_still(foundation: Foundation) -> None:
    trace = train_arm(foundation, replace(ARM, epsilon=1e3))
    assert (trace.cold_fraction[:, 1:] == 1).all()
    assert trace.update_rms.max() < 1e-2


@pytest.mark.parametrize("wrong", [{"n_cold_steps": 0}, {"batch_size": 2}])
def test_impossible_tasks_are_refused(wrong: dict[str, int]) -> None:
    with pytest.raises(UserError, match="R3"):
        replace(TASK, **wrong)
