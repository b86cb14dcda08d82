"""R3's labelled runs: the module against the flat weights, labels, kinds of runs."""

from dataclasses import replace

import numpy as np
import pytest
import torch

from herd.stability.reproduction.r3_labelled_runs import (
    AWAKENING,
    StagedDecoder,
    labelled_runs,
    run_labelled,
)
from herd.stability.reproduction.r3_staged_task import StagedTask
from herd.stability.reproduction.r3_staged_training import lay_foundation, train_arm
from herd.stability.reproduction.r3_transformer import (
    DecoderShape,
    decoder_loss,
    initial_weights,
    named_weights,
)

SHAPE = DecoderShape(n_layers=1, width=8, n_heads=2, n_positions=4, vocabulary=8)
TASK = StagedTask(
    shape=SHAPE, batch_size=8, n_foundation_steps=10, n_cold_steps=12, n_awake_steps=5
)


def test_the_module_loses_what_the_flat_weights_lose() -> None:
    weights_RP = initial_weights(SHAPE, [3])
    model = StagedDecoder(SHAPE, weights_RP[0])
    batch = torch.randint(0, 8, (1, 4, 5), generator=torch.Generator().manual_seed(0))
    expected = decoder_loss(SHAPE, named_weights(SHAPE, weights_RP), batch)[0]
    torch.testing.assert_close(model.loss(batch[0]), expected)
    assert list(dict(model.named_parameters())) == list(SHAPE.tensors)


def test_a_watched_run_follows_the_batched_one() -> None:
    foundation = lay_foundation(TASK, [1])
    run = run_labelled(foundation, AWAKENING)
    trace = train_arm(foundation, AWAKENING)
    losses = np.array([step.loss_nats for step in run.steps])
    np.testing.assert_allclose(losses, trace.loss_nats[0], rtol=1e-3)
    norms = np.array([step.grad_norm for step in run.steps])
    np.testing.assert_allclose(norms, trace.gradient_norm[0], rtol=1e-2)


def test_awakenings_begin_at_the_switch_and_quiet_runs_never() -> None:
    awakening, cold, learning = labelled_runs(0, task=TASK, n_quiet_steps=15)
    assert awakening.awakening == 12 and len(awakening.steps) == 17
    assert cold.awakening is None and cold.spike is None and len(cold.steps) == 15
    assert learning.awakening is None and learning.spike is None


@pytest.mark.parametrize("n_new", [1, 4])
def test_a_spike_is_never_labelled_before_the_switch(n_new: int) -> None:
    run = run_labelled(lay_foundation(replace(TASK, new_share=n_new / 8), [0]), AWAKENING)
    assert run.spike is None or run.spike > TASK.n_cold_steps
