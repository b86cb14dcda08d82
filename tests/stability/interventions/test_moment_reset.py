"""SPAM's periodic reset and re-warm-up, resets on demand, and taking one back."""

import math

import pytest
import torch

from herd.foundation import UserError
from herd.stability.interventions.moment_reset import MomentReset, MomentResetConfig
from herd.stability.interventions.skip_step import SkipStep
from herd.stability.interventions.spike_clip import SpikeClip, SpikeClipConfig
from herd.stability.interventions.stabilized_adamw import StabilizedAdamW
from tests.stability.interventions.toy import NaiveAdamW, gradients, parameters, train


def test_the_periodic_reset_is_spams():
    named = parameters()
    stage = MomentReset(MomentResetConfig(every_steps=12, warmup_steps=5))
    settings = {"lr": 0.02, "betas": (0.9, 0.95), "eps": 1e-8, "weight_decay": 0.1}
    ours = StabilizedAdamW(named, interventions=[stage], **settings)
    oracle = NaiveAdamW(named[0][1], **settings)
    for t, step in enumerate(gradients(40), start=1):
        train(ours, named, [step])
        if t % 12 == 0:
            oracle.first[:] = 0
            oracle.second[:] = 0
        k = t % 12 + 1 if t >= 12 else 99
        factor = (1 - math.cos(math.pi * k / 5)) / 2 if k < 5 else 1.0
        oracle.step(step[0], rate=lambda *_, factor=factor: factor)
        torch.testing.assert_close(
            named[0][1].detach().double(), torch.from_numpy(oracle.value), rtol=1e-5, atol=1e-6
        )


def test_the_defaults_are_spams_and_the_warmup_rises_to_one():
    stage = MomentReset()
    assert (stage.config.every_steps, stage.config.warmup_steps) == (500, 150)
    factors = [stage.warmup_factor(k) for k in range(1, 152)]
    assert factors == sorted(factors) and 0 < factors[0] < 0.001
    assert factors[74] == pytest.approx(0.5) and factors[149] == factors[150] == 1.0


def on_demand(log=None, **config):
    named = parameters()
    stage = MomentReset(MomentResetConfig(every_steps=0, **config))
    return named, StabilizedAdamW(named, lr=0.02, interventions=[stage], log=log), stage


def test_on_demand_only_the_named_tensors_forget_and_v_keeps_its_mean():
    named, ours, stage = on_demand()
    train(ours, named, gradients(10))
    zero = [torch.zeros_like(parameter) for _, parameter in named]
    before = {key: ours.state[named[0][1]][key].clone() for key in ("exp_avg", "exp_avg_sq")}
    other = ours.state[named[1][1]]["exp_avg"].clone()
    stage.reset(["layers.0.weight"])
    train(ours, named, [zero])
    state = ours.state[named[0][1]]
    assert torch.equal(state["exp_avg"], zero[0])
    mean = before["exp_avg_sq"].mean()
    torch.testing.assert_close(state["exp_avg_sq"], 0.999 * mean.expand_as(zero[0]))
    torch.testing.assert_close(ours.state[named[1][1]]["exp_avg"], 0.9 * other)


def test_undo_puts_the_moments_back_and_ends_the_warmup():
    log = []
    named, ours, stage = on_demand(log.append)
    train(ours, named, gradients(10))
    before = {key: ours.state[named[0][1]][key].clone() for key in ("exp_avg", "exp_avg_sq")}
    stage.reset(["layers.0.weight"])
    train(ours, named, gradients(3))
    stage.undo()
    step = gradients(1)[0]
    train(ours, named, [step])
    state = ours.state[named[0][1]]
    torch.testing.assert_close(state["exp_avg"], 0.9 * before["exp_avg"] + 0.1 * step[0])
    torch.testing.assert_close(
        state["exp_avg_sq"], 0.999 * before["exp_avg_sq"] + 0.001 * step[0].square()
    )
    assert stage.first_steps == {} and stage.kept == {}
    assert [line["undone"] for line in log] == [False, True]
    assert log[0]["before"]["second_moment_rms"] > 0


def test_what_could_be_undone_is_forgotten_when_the_warmup_is_over():
    named, ours, stage = on_demand(warmup_steps=3)
    train(ours, named, gradients(4))
    stage.reset(["layers.0.weight"])
    train(ours, named, gradients(3))
    assert stage.kept
    train(ours, named, gradients(1))
    assert not stage.kept and not stage.first_steps


def test_the_spike_clip_waits_after_a_reset():
    named = parameters()
    reset = MomentReset(MomentResetConfig(every_steps=30, warmup_steps=5))
    clip = SpikeClip(SpikeClipConfig(threshold=2.0))
    ours = StabilizedAdamW(named, lr=0.01, interventions=[reset, clip])
    steps = gradients(35)
    train(ours, named, steps)
    assert torch.equal(named[0][1].grad, steps[-1][0])
    assert clip.n_steps["layers.0.weight"] == 6


def test_a_skipped_step_still_resets_and_takes_no_gradient_in():
    named = parameters()
    reset = MomentReset(MomentResetConfig(every_steps=0))
    ours = StabilizedAdamW(named, lr=0.01, interventions=[SkipStep(), reset])
    train(ours, named, gradients(5))
    reset.reset(["layers.0.weight"])
    train(ours, named, [[torch.full_like(p, math.nan) for _, p in named]])
    state = ours.state[named[0][1]]
    assert torch.equal(state["exp_avg"], torch.zeros(5, 4))
    assert (state["exp_avg_sq"] == state["exp_avg_sq"][0, 0]).all()


@pytest.mark.parametrize(
    "fields", [{"every_steps": -1}, {"warmup_steps": -1}, {"every_steps": 100, "warmup_steps": 100}]
)
def test_impossible_constants_are_refused(fields):
    with pytest.raises(UserError, match="moment_reset"):
        MomentResetConfig(**fields)
