"""The 6 sigma rule against a naive one, and that a skipped step leaves everything as it was."""

import math

import numpy as np
import pytest
import torch

from herd.foundation import UserError
from herd.stability.interventions.skip_step import SkipStep, SkipStepConfig
from herd.stability.interventions.stabilized_adamw import StabilizedAdamW
from tests.stability.interventions.toy import gradients, parameters, train


def naive_rule(losses, norms, window=128, sigmas=6.0):
    """Levanter's and OLMo-core's rule over whole lists."""
    kept = ([], [])
    allowed = []
    for values in zip(losses, norms, strict=True):
        high = False
        for history, value in zip(kept, values, strict=True):
            recent = np.array(history[-window:])
            if len(recent) >= window // 2:
                high |= value > recent.mean() + sigmas * max(recent.std(), 1e-6)
            high |= not math.isfinite(value)
            if math.isfinite(value):
                history.append(value)
        allowed.append(not high)
    return allowed


@pytest.mark.parametrize("window", [4, 16, 128])
@pytest.mark.parametrize("seed", range(3))
def test_the_rule_is_that_of_olmo_and_levanter(window, seed):
    generator = np.random.default_rng(seed)
    losses = 2 + 0.1 * generator.standard_normal(400)
    norms = 1 + 0.2 * generator.standard_normal(400)
    losses[[3, 150, 151, 300]] = 9.0
    norms[[200, 260]] = [30.0, math.nan]
    losses[220] = math.inf
    stage = SkipStep(SkipStepConfig(window_steps=window))
    known = torch.tensor([True, True])
    got = [
        bool(stage.judge(torch.tensor([loss, norm], dtype=torch.float64), known))
        for loss, norm in zip(losses, norms, strict=True)
    ]
    assert got == naive_rule(losses, norms, window)
    assert 3 <= int(stage.n_skipped) == got.count(False)


@pytest.mark.parametrize("dtype", [torch.float32, torch.bfloat16])
def test_a_skipped_step_changes_neither_weights_nor_moments_nor_the_count(dtype):
    named = parameters(dtype=dtype)
    optimizer = StabilizedAdamW(named, lr=0.01, interventions=[SkipStep()])
    train(optimizer, named, gradients(70))
    before = {
        name: [
            parameter.detach().clone(),
            *(t.clone() for t in optimizer.state[parameter].values()),
        ]
        for name, parameter in named
    }
    train(optimizer, named, gradients(1, scale=1000.0))
    for name, parameter in named:
        after = [parameter.detach(), *optimizer.state[parameter].values()]
        assert all(torch.equal(a, b) for a, b in zip(before[name], after, strict=True))
    assert int(optimizer.interventions[0].n_skipped) == 1
    train(optimizer, named, gradients(1, seed=8))
    assert not torch.equal(named[0][1].detach(), before[named[0][0]][0])


def test_skipping_equals_torch_without_the_skipped_batch():
    named, peers = parameters(), parameters()
    ours = StabilizedAdamW(named, lr=0.01, interventions=[SkipStep()], foreach=False)
    peer = torch.optim.AdamW(peers, lr=0.01, foreach=False)
    steps = gradients(80)
    spike = [1000 * gradient for gradient in steps[0]]
    got = train(ours, named, [*steps[:70], spike, *steps[70:]])
    for one, other in zip(got, train(peer, peers, steps), strict=True):
        assert torch.equal(one, other)


@pytest.mark.parametrize("bad", [math.nan, math.inf])
def test_what_is_not_finite_is_skipped_from_the_first_step_and_never_enters_the_window(bad):
    named = parameters()
    start = named[0][1].detach().clone()
    optimizer = StabilizedAdamW(named, lr=0.01, interventions=[SkipStep()])
    train(optimizer, named, [[torch.full_like(g, bad) for g in gradients(1)[0]]])
    assert torch.equal(named[0][1].detach(), start)
    assert torch.isfinite(optimizer.interventions[0].window_2W).all()
    train(optimizer, named, gradients(1), loss=torch.tensor(bad))
    assert torch.equal(named[0][1].detach(), start)
    train(optimizer, named, gradients(1), loss=2.0)
    assert torch.isfinite(named[0][1]).all() and not torch.equal(named[0][1].detach(), start)


def test_a_new_level_is_accepted_in_time():
    stage = SkipStep(SkipStepConfig(window_steps=16))
    known = torch.tensor([True, True])
    values = [1.0] * 20 + [5.0] * 20
    allowed = [
        bool(stage.judge(torch.tensor([value, 1.0], dtype=torch.float64), known))
        for value in values
    ]
    assert not allowed[20] and all(allowed[24:])


def test_the_given_norm_counts_and_the_log_says_why():
    log = []
    named = parameters()
    optimizer = StabilizedAdamW(named, lr=0.01, interventions=[SkipStep()], log=log.append)
    for _ in range(70):
        train(optimizer, named, gradients(1), loss=2.0, grad_norm=torch.tensor(1.0))
    train(optimizer, named, gradients(1), loss=3.0, grad_norm=torch.tensor(1.0))
    assert [line["step"] for line in log] == [71]
    assert "loss_nats 3" in log[0]["what"] and "grad_norm" not in log[0]["what"]
    assert log[0]["before"] == {"loss_nats": 3.0, "grad_norm": 1.0}


@pytest.mark.parametrize("fields", [{"window_steps": 3}, {"sigmas": 0}, {"sigmas": math.nan}])
def test_impossible_constants_are_refused(fields):
    with pytest.raises(UserError, match="skip_step"):
        SkipStepConfig(**fields)


def test_a_window_of_another_length_is_refused():
    state = SkipStep(SkipStepConfig(window_steps=8)).state_dict()
    with pytest.raises(UserError, match="same"):
        SkipStep().load_state_dict(state)


@pytest.mark.parametrize(("n_before", "allowed"), [(7, True), (8, False)])
def test_the_rule_begins_when_half_of_the_window_is_known(n_before, allowed):
    stage = SkipStep(SkipStepConfig(window_steps=16))
    assert judged(stage, [1.0, 1.01] * 4)[:n_before] == [True] * n_before
    stage = SkipStep(SkipStepConfig(window_steps=16))
    assert judged(stage, [*([1.0, 1.01] * 4)[:n_before], 99.0])[-1] is allowed


@pytest.mark.parametrize("n_values", [100, 128, 200])
def test_the_limit_is_mean_plus_six_sigma_of_the_finite_values_of_the_window(n_values):
    values = list(np.random.default_rng(0).standard_normal(n_values))
    recent = np.array(values[-128:])
    limit = recent.mean() + 6 * recent.std()
    values.insert(90, math.nan)
    for last, allowed in ((limit - 1e-9, True), (limit + 1e-9, False)):
        assert judged(SkipStep(), [*values, last])[-1] is allowed


def judged(stage, norms):
    known = torch.tensor([False, True])
    return [
        bool(stage.judge(torch.tensor([0.0, norm], dtype=torch.float64), known)) for norm in norms
    ]
