"""ZClip, AdaGC and SPAM's spike clip: their papers' formulas in float64, and what no clip may do."""

import math

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from herd.foundation import UserError
from herd.stability.interventions.adagc import AdaGC, AdaGCConfig
from herd.stability.interventions.spike_clip import SpikeClip, SpikeClipConfig, clip_spikes
from herd.stability.interventions.stabilized_adamw import StabilizedAdamW
from herd.stability.interventions.stage import StepRun, tensor_steps
from herd.stability.interventions.zclip import ZClip, ZClipConfig
from tests.stability.interventions.toy import gradients, parameters, train


def spiky(n_steps=80, seed=3):
    steps = gradients(n_steps, seed=seed, scale=0.1)
    for i, factor in ((3, 30), (35, 5), (36, 50), (50, 1000), (70, 3)):
        if i < n_steps:
            steps[i] = [factor * gradient for gradient in steps[i]]
    return steps


def clipped_by(stage, steps, optimizer_type=torch.optim.SGD):
    """What an attached stage makes of each step's gradients."""
    named = parameters()
    optimizer = optimizer_type(named, lr=1e-3)
    stage.attach(optimizer)
    results = []
    for step in steps:
        train(optimizer, named, [step])
        results.append([parameter.grad.clone() for _, parameter in named])
    return results


def joint_norm(tensors):
    return math.sqrt(sum(float(t.double().square().sum()) for t in tensors))


def naive_zclip(norms, alpha=0.97, threshold=2.5, max_norm=1.0, warmup=25):
    buffer, mean, variance, limits = [], None, None, []
    for norm in norms:
        kept = norm
        if mean is None:
            buffer.append(norm)
            if len(buffer) == warmup:
                mean = sum(buffer) / warmup
                variance = sum((x - mean) ** 2 for x in buffer) / warmup
        else:
            sigma = math.sqrt(variance)
            z = (norm - mean) / (sigma + 1e-6)
            if z > threshold:
                kept = mean + threshold * sigma / (z / threshold)
            mean = alpha * mean + (1 - alpha) * kept
            variance = alpha * variance + (1 - alpha) * (kept - mean) ** 2
        limits.append(min(kept, max_norm))
    return limits


@pytest.mark.parametrize("max_norm", [1.0, math.inf])
def test_zclip_is_its_papers_formula(max_norm):
    steps = spiky()
    norms = [joint_norm(step) for step in steps]
    limits = naive_zclip(norms, max_norm=max_norm)
    results = clipped_by(ZClip(ZClipConfig(max_norm=max_norm)), steps)
    assert sum(limit < norm for limit, norm in zip(limits, norms, strict=True)) >= 2
    for step, result, norm, limit in zip(steps, results, norms, limits, strict=True):
        factor = limit / (norm + 1e-6) if norm > limit else 1.0
        for gradient, got in zip(step, result, strict=True):
            torch.testing.assert_close(got, (factor * gradient.double()).float(), rtol=1e-5, atol=0)


def naive_adagc(steps, relative=1.05, absolute=1.0, beta=0.98, warmup=100):
    gammas, results = [None] * len(steps[0]), []
    for t, step in enumerate(steps, start=1):
        total = joint_norm(step)
        result = []
        for i, gradient in enumerate(step):
            norm = joint_norm([gradient])
            if t <= warmup:
                h = min(absolute / total, 1.0)
                if norm > 0:
                    gammas[i] = h * norm if gammas[i] is None else min(gammas[i], h * norm)
            elif norm > 0:
                h = min(relative * gammas[i] / norm, 1.0)
                gammas[i] = beta * gammas[i] + (1 - beta) * h * norm
            else:
                h = 1.0
            result.append((h * gradient.double()).float())
        results.append(result)
    return results


def test_adagc_is_its_papers_formula():
    steps = spiky()
    expected = naive_adagc(steps, warmup=20)
    results = clipped_by(AdaGC(AdaGCConfig(warmup_steps=20)), steps)
    for result, wanted in zip(results, expected, strict=True):
        for got, gradient in zip(result, wanted, strict=True):
            torch.testing.assert_close(got, gradient, rtol=1e-5, atol=0)


def test_adagc_does_not_freeze_a_tensor_that_had_no_gradient_once():
    steps = gradients(30, scale=0.01)
    steps[4] = [torch.zeros_like(gradient) for gradient in steps[4]]
    results = clipped_by(AdaGC(AdaGCConfig(warmup_steps=10)), steps)
    assert results[-1][0].norm() > 0.3 * steps[-1][0].norm()


def test_adagc_takes_a_tensor_that_first_appears_after_its_warmup():
    steps = [[None, *step[1:]] for step in gradients(15)] + gradients(3)
    named = parameters()
    optimizer = torch.optim.SGD(named, lr=1e-3)
    AdaGC(AdaGCConfig(warmup_steps=10)).attach(optimizer)
    train(optimizer, named, steps[:16])
    assert torch.equal(named[0][1].grad, steps[15][0])


def test_spams_clip_is_its_papers_formula_coordinate_by_coordinate():
    steps = spiky()
    named = parameters()
    optimizer = StabilizedAdamW(named, interventions=[SpikeClip(SpikeClipConfig(threshold=9.0))])
    second = [np.zeros(p.shape) for _, p in named]
    n_clipped = 0
    for t, step in enumerate(steps):
        train(optimizer, named, [step])
        for i, gradient in enumerate(step):
            expected = gradient.double().numpy().copy()
            for at in np.ndindex(expected.shape):
                if t >= 20 and second[i][at] > 0 and expected[at] ** 2 / second[i][at] > 9.0:
                    expected[at] = np.sign(expected[at]) * np.sqrt(9.0 * second[i][at])
                    n_clipped += 1
            got = named[i][1].grad.double()
            torch.testing.assert_close(got, torch.from_numpy(expected), rtol=1e-4, atol=1e-8)
            second[i] = 0.999 * second[i] + 0.001 * expected**2
    assert n_clipped > 20


def test_spams_clip_leaves_a_coordinate_without_history():
    clipped, spikes = clip_spikes(torch.tensor([3.0, 3.0]), torch.tensor([0.0, 1e-4]), 5000.0)
    assert spikes.tolist() == [False, True]
    torch.testing.assert_close(clipped, torch.tensor([3.0, math.sqrt(0.5)]))


@given(
    values=st.lists(st.floats(-1e6, 1e6, width=32), min_size=1, max_size=8),
    second=st.floats(1e-12, 1e6),
    threshold=st.floats(1e-3, 1e4),
)
@settings(max_examples=60, deadline=None)
def test_spams_clip_never_enlarges_never_turns_and_is_idempotent(values, second, threshold):
    gradient = torch.tensor(values, dtype=torch.float64)
    v = torch.full_like(gradient, second)
    once, _ = clip_spikes(gradient, v, threshold)
    twice, _ = clip_spikes(once, v, threshold)
    assert (once.abs() <= gradient.abs()).all() and (once * gradient >= 0).all()
    torch.testing.assert_close(twice, once, rtol=1e-12, atol=0)


@pytest.mark.parametrize("stage_type", [ZClip, AdaGC, SpikeClip])
@pytest.mark.parametrize("seed", range(3))
def test_no_clip_enlarges_a_gradient_or_turns_it(stage_type, seed):
    steps = spiky(seed=seed)
    for step, result in zip(steps, clipped_by(stage_type(), steps, torch.optim.Adam), strict=True):
        for gradient, got in zip(step, result, strict=True):
            assert (got.abs() <= gradient.abs()).all() and (got * gradient >= 0).all()


@pytest.mark.parametrize("stage", [ZClip(ZClipConfig(max_norm=math.inf)), AdaGC(), SpikeClip()])
def test_gradients_that_do_not_change_are_not_clipped_bitwise(stage):
    step = gradients(1, scale=0.1)[0]
    for result in clipped_by(stage, [step] * 40, torch.optim.Adam):
        for gradient, got in zip(step, result, strict=True):
            assert torch.equal(gradient, got)


@given(scale=st.sampled_from([2.0**-10, 0.5, 4.0, 2.0**10]))
@settings(max_examples=4, deadline=None)
def test_relative_clips_do_not_depend_on_the_gradients_scale(scale):
    for build in (
        lambda: AdaGC(AdaGCConfig(absolute=1e9, warmup_steps=5)),
        SpikeClip,
    ):
        steps = spiky(60)
        scaled = [[scale * gradient for gradient in step] for step in steps]
        small = clipped_by(build(), steps, torch.optim.Adam)
        large = clipped_by(build(), scaled, torch.optim.Adam)
        for one, other in zip(small, large, strict=True):
            for gradient, got in zip(one, other, strict=True):
                torch.testing.assert_close(scale * gradient, got, rtol=1e-5, atol=0)


@pytest.mark.parametrize("stage_type", [ZClip, AdaGC, SpikeClip])
def test_attached_to_adamw_it_does_what_it_does_inside_the_optimizer(stage_type):
    steps = spiky()
    named, peers = parameters(), parameters()
    inside = StabilizedAdamW(named, lr=0.01, interventions=[stage_type()])
    outside = torch.optim.AdamW(peers, lr=0.01)
    stage_type().attach(outside)
    for got, expected in zip(
        train(inside, named, steps), train(outside, peers, steps), strict=True
    ):
        assert torch.equal(got, expected)


@pytest.mark.parametrize("stage_type", [ZClip, AdaGC])
@pytest.mark.parametrize("bad", [math.nan, math.inf])
def test_a_gradient_that_is_not_finite_does_not_enter_the_statistics(stage_type, bad):
    steps = spiky(60)
    broken = [*steps[:40], [torch.full_like(gradient, bad) for gradient in steps[0]], *steps[40:]]
    clean, results = clipped_by(stage_type(), steps), clipped_by(stage_type(), broken)
    for one, other in zip(clean, results[:40] + results[41:], strict=True):
        assert all(torch.equal(a, b) for a, b in zip(one, other, strict=True))


def test_the_log_holds_an_episode_in_two_lines():
    log = []
    named = parameters()
    optimizer = torch.optim.SGD(named, lr=1e-3)
    ZClip().attach(optimizer, names=named, log=log.append)
    steps = gradients(60, scale=0.1)
    steps[30] = [100 * gradient for gradient in steps[30]]
    steps[32] = [100 * gradient for gradient in steps[32]]
    train(optimizer, named, steps)
    assert [line["step"] for line in log] == [31, 33]
    assert [line["undone"] for line in log] == [False, True]
    assert log[0]["before"]["grad_norm"] > log[0]["after"]["grad_norm"] > 0
    assert log[1]["after"]["steps"] == 2


def test_a_removed_handle_ends_the_clip():
    named = parameters()
    optimizer = torch.optim.SGD(named, lr=1e-3)
    ZClip().attach(optimizer).remove()
    step = gradients(1, scale=100)[0]
    train(optimizer, named, [step])
    assert torch.equal(named[0][1].grad, step[0])


def test_spams_clip_needs_second_moments():
    with pytest.raises(UserError, match="second moment"):
        clipped_by(SpikeClip(), gradients(2))


def test_a_clip_of_a_step_without_gradients_does_nothing():
    named = parameters()
    for stage in (ZClip(), AdaGC(), SpikeClip()):
        optimizer = torch.optim.SGD(named, lr=1e-3)
        stage.change_gradients(tensor_steps(optimizer), StepRun(step=1))


@pytest.mark.parametrize(
    "build",
    [
        lambda: ZClipConfig(alpha=1.0),
        lambda: ZClipConfig(z_threshold=0),
        lambda: ZClipConfig(max_norm=math.nan),
        lambda: ZClipConfig(warmup_steps=0),
        lambda: AdaGCConfig(beta=-0.1),
        lambda: AdaGCConfig(relative=0),
        lambda: AdaGCConfig(absolute=-1),
        lambda: AdaGCConfig(warmup_steps=0),
        lambda: SpikeClipConfig(threshold=-5),
        lambda: SpikeClipConfig(grace_steps=-1),
    ],
)
def test_impossible_constants_are_refused(build):
    with pytest.raises(UserError):
        build()


def test_a_window_of_another_length_is_refused():
    state = ZClip(ZClipConfig(warmup_steps=5)).state_dict()
    with pytest.raises(UserError, match="same"):
        ZClip().load_state_dict(state)
