"""The policy: alarms reach the tensors of their layer alone, and recovery ends what they set off."""

import pytest
import torch

from herd.foundation import UserError
from herd.stability.interventions.learning_rate_damp import LearningRateDamp
from herd.stability.interventions.moment_reset import MomentReset, MomentResetConfig
from herd.stability.interventions.response_policy import ResponseConfig, ResponsePolicy
from herd.stability.interventions.stabilized_adamw import StabilizedAdamW
from herd.stability.interventions.update_clip import UpdateClip
from herd.stability.verdict import Level, WatchVerdict
from tests.stability.interventions.toy import gradients, parameters, train

ALL = ResponseConfig(damp=True, clip=True, reset=True)


def setting(config=ALL, log=None):
    named = parameters()
    stages = [
        MomentReset(MomentResetConfig(every_steps=0)),
        UpdateClip(enabled=False),
        LearningRateDamp(),
    ]
    optimizer = StabilizedAdamW(named, lr=0.01, interventions=stages, log=log, foreach=False)
    return named, optimizer, ResponsePolicy(optimizer, config)


def verdict(level, *layers, step=1, watched=True):
    return WatchVerdict(
        step=step, level=level, layers=layers, reasons=("why",) * len(layers), watched=watched
    )


def test_an_alarm_reaches_the_tensors_of_its_layer_until_its_recovery_has_ended():
    log = []
    named, optimizer, policy = setting(log=log.append)
    reset, clip, damp = optimizer.interventions
    train(optimizer, named, gradients(3))
    policy.respond(verdict(Level.ALARM, "layers.1", step=3))
    assert clip.enabled and clip.only == {"layers.1.weight"}
    assert reset.asked == {"layers.1.weight"}
    train(optimizer, named, gradients(1))
    assert set(damp.last_steps) == set(reset.kept) == {"layers.1.weight"}
    policy.respond(verdict(Level.ALARM, "layers.1", step=4))
    assert not reset.asked
    policy.respond(verdict(Level.RECOVERY, "layers.1", step=5))
    assert clip.enabled
    policy.respond(verdict(Level.OK, step=6))
    train(optimizer, named, gradients(1))
    assert not clip.enabled and not damp.last_steps and not policy.alarmed
    lines = [line for line in log if line["intervention"] == "response policy"]
    assert [(line["step"], line["undone"]) for line in lines] == [(3, False), (6, True)]
    assert "why" in lines[0]["what"]


def test_levels_of_the_watch_tell_layers_apart():
    _, optimizer, policy = setting()
    policy.respond(
        verdict(Level.ALARM, "layers.1", "layers.0"),
        {"layers.0": Level.WATCH, "layers.1": Level.ALARM},
    )
    assert policy.alarmed == {"layers.1"} and optimizer.interventions[0].asked == {
        "layers.1.weight"
    }


@pytest.mark.parametrize("level", [Level.OK, Level.WATCH, Level.RECOVERY])
def test_nothing_short_of_an_alarm_acts(level):
    named, optimizer, policy = setting()
    peers = parameters()
    peer = torch.optim.AdamW(peers, lr=0.01, foreach=False)
    policy.respond(verdict(level, "layers.0", "layers.1"))
    got, expected = train(optimizer, named, gradients(5)), train(peer, peers, gradients(5))
    assert all(torch.equal(one, other) for one, other in zip(got, expected, strict=True))


def test_nothing_acts_that_the_config_does_not_name():
    log = []
    _, optimizer, policy = setting(ResponseConfig(), log.append)
    policy.respond(verdict(Level.ALARM, "layers.1"))
    reset, clip, damp = optimizer.interventions
    assert not (reset.asked or clip.enabled or damp.asked or log)


def test_a_verdict_of_a_step_that_was_not_watched_changes_nothing():
    _, optimizer, policy = setting()
    policy.respond(verdict(Level.ALARM, "layers.1", watched=False))
    assert not policy.alarmed


def test_a_clip_that_is_on_for_all_stays_on_for_all():
    named = parameters()
    clip = UpdateClip()
    policy = ResponsePolicy(StabilizedAdamW(named, interventions=[clip]), ResponseConfig(clip=True))
    policy.respond(verdict(Level.ALARM, "layers.1"))
    policy.respond(verdict(Level.OK))
    assert clip.enabled and clip.only is None


def test_a_missing_stage_is_refused_by_name():
    with pytest.raises(UserError, match="UpdateClip"):
        ResponsePolicy(StabilizedAdamW(parameters()), ResponseConfig(clip=True))


def test_names_lose_what_compiling_wraps_around_them_and_state_survives():
    named = [(f"_orig_mod.{name}", parameter) for name, parameter in parameters()]
    optimizer = StabilizedAdamW([p for _, p in named], named_parameters=named)
    policy = ResponsePolicy(optimizer, ResponseConfig())
    assert policy.tensors_of(["layers.2"]) == ["layers.2.weight"]
    policy.respond(verdict(Level.ALARM, "layers.2"))
    other = ResponsePolicy(optimizer, ResponseConfig())
    other.load_state_dict(policy.state_dict())
    assert other.alarmed == {"layers.2"}
