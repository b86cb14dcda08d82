"""The damp: a quarter of the learning rate, weight decay included, for 1/(1 - beta2) steps."""

import pytest
import torch

from herd.foundation import UserError
from herd.stability.interventions.learning_rate_damp import LearningRateDamp, LearningRateDampConfig
from herd.stability.interventions.stabilized_adamw import StabilizedAdamW
from tests.stability.interventions.toy import gradients, parameters, train


def damped(log=None, **config):
    named = parameters()
    stage = LearningRateDamp(LearningRateDampConfig(**config))
    optimizer = StabilizedAdamW(
        named, lr=0.02, betas=(0.9, 0.95), weight_decay=0.1, interventions=[stage], log=log
    )
    return named, optimizer, stage


def test_a_damped_tensor_goes_at_a_quarter_of_the_rate_for_as_long_as_v_remembers():
    named, ours, stage = damped()
    peers = parameters()
    peer = torch.optim.AdamW(
        [{"params": [peers[0]]}, {"params": peers[1:]}],
        lr=0.02,
        betas=(0.9, 0.95),
        weight_decay=0.1,
    )
    steps = gradients(40)
    stage.damp(["layers.0.weight"])
    for i, step in enumerate(steps):
        peer.param_groups[0]["lr"] = 0.02 * (0.25 if i < 20 else 1.0)
        got, expected = train(ours, named, [step]), train(peer, peers, [step])
        for one, other in zip(got, expected, strict=True):
            torch.testing.assert_close(one, other, rtol=1e-6, atol=1e-6)


def test_nothing_is_damped_unasked():
    named, ours, _ = damped()
    peers = parameters()
    peer = torch.optim.AdamW(peers, lr=0.02, betas=(0.9, 0.95), weight_decay=0.1, foreach=False)
    got, expected = train(ours, named, gradients(5)), train(peer, peers, gradients(5))
    assert all(torch.equal(one, other) for one, other in zip(got, expected, strict=True))


def test_release_ends_it_and_asking_again_prolongs_it_and_the_log_says_both():
    log = []
    named, ours, stage = damped(log.append, duration_steps=5)
    stage.damp(["layers.0.weight"])
    train(ours, named, gradients(3))
    stage.damp(["layers.0.weight"])
    train(ours, named, gradients(4))
    assert stage.last_steps == {"layers.0.weight": 8}
    stage.release(["layers.0.weight"])
    train(ours, named, gradients(1))
    assert stage.last_steps == {}
    assert [(line["step"], line["undone"]) for line in log] == [(1, False), (8, True)]
    assert log[0]["after"] == {"factor": 0.25, "last_step": 5}


@pytest.mark.parametrize("fields", [{"factor": 0}, {"factor": 1.5}, {"duration_steps": 0}])
def test_impossible_constants_are_refused(fields):
    with pytest.raises(UserError, match="learning_rate_damp"):
        LearningRateDampConfig(**fields)
