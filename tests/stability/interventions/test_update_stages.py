"""Update clip, StableAdamW, relative epsilon and the cold guard against naive float64 AdamW."""

import math

import numpy as np
import pytest
import torch

from herd.foundation import UserError
from herd.stability.interventions.cold_guard import ColdGuard, ColdGuardConfig
from herd.stability.interventions.relative_epsilon import RelativeEpsilon, RelativeEpsilonConfig
from herd.stability.interventions.stabilized_adamw import StabilizedAdamW
from herd.stability.interventions.stable_adamw import StableAdamW, StableAdamWConfig
from herd.stability.interventions.stage import tensor_steps
from herd.stability.interventions.update_clip import UpdateClip, UpdateClipConfig
from herd.stability.theory import fresh_gradient_update
from tests.stability.interventions.toy import NaiveAdamW, gradients, parameters, train

SETTINGS = {"lr": 0.02, "betas": (0.9, 0.95), "eps": 1e-6, "weight_decay": 0.1}


def against_naive(stages, steps, **formulas):
    """Train both; compare; return the optimizer."""
    named = parameters()
    ours = StabilizedAdamW(named, interventions=stages, **SETTINGS)
    naive = [NaiveAdamW(parameter, **SETTINGS) for _, parameter in named]
    for step in steps:
        train(ours, named, [step])
        for oracle, gradient in zip(naive, step, strict=True):
            if gradient.numel():
                oracle.step(gradient, **formulas)
    for (_, parameter), oracle in zip(named, naive, strict=True):
        torch.testing.assert_close(
            parameter.detach().double(), torch.from_numpy(oracle.value), rtol=2e-5, atol=2e-6
        )
    return ours


def growing(n_steps=40):
    """Gradients that jump, then keep their sign: what makes an update large."""
    steps = gradients(n_steps, scale=0.01)
    return [
        [gradient.abs() * 5 if i > 25 else gradient for gradient in step]
        for i, step in enumerate(steps)
    ]


def rms(array):
    return math.sqrt(np.mean(np.square(array)))


def test_the_update_clip_is_its_formula():
    limit = 2 * math.sqrt(0.1 / 1.9)
    stage = UpdateClip(UpdateClipConfig(warmup_steps=0))
    against_naive([stage], growing(), update=lambda u: u * min(1, limit / rms(u)))
    assert stage.limit(0.9) == pytest.approx(0.4588, abs=1e-4)


def test_the_update_clip_waits_for_the_end_of_warmup():
    log = []
    named = parameters()
    ours = StabilizedAdamW(named, interventions=[UpdateClip()], log=log.append, **SETTINGS)
    train(ours, named, [[torch.ones_like(p) for _, p in named]] * 110)
    assert log[0]["step"] == 101  # 5/(1 - 0.95) and one
    assert (
        log[0]["before"]["update_rms"]
        > log[0]["after"]["update_rms"]
        == pytest.approx(0.4588, abs=1e-3)
    )


def test_stable_adamw_is_its_formula():
    def rate(gradient, corrected, eps):
        return 1 / max(1, rms(gradient / np.sqrt(np.maximum(corrected, eps**2))))

    against_naive([StableAdamW()], growing(), rate=rate)


def test_stable_adamw_does_not_depend_on_the_gradients_scale():
    results = []
    for scale in (1.0, 2.0**8):
        named = parameters()
        ours = StabilizedAdamW(
            named, interventions=[StableAdamW()], lr=0.02, eps=1e-30, weight_decay=0.0
        )
        steps = [[scale * gradient for gradient in step] for step in growing()]
        results.append(train(ours, named, steps))
    for one, other in zip(*results, strict=True):
        torch.testing.assert_close(one, other, rtol=1e-5, atol=1e-6)


def test_relative_epsilon_is_its_formula():
    stage = RelativeEpsilon(RelativeEpsilonConfig(ratio=0.3))
    against_naive([stage], growing(), epsilon=lambda corrected: 0.3 * math.sqrt(np.mean(corrected)))


def test_relative_epsilon_makes_the_step_independent_of_the_loss_scale():
    results = []
    for scale in (1.0, 2.0**-12):
        named = parameters()
        ours = StabilizedAdamW(named, interventions=[RelativeEpsilon()], **SETTINGS)
        steps = [[scale * gradient for gradient in step] for step in gradients(10)]
        results.append(train(ours, named, steps))
    for one, other in zip(*results, strict=True):
        torch.testing.assert_close(one, other, rtol=1e-6, atol=1e-6)


def test_a_tensor_of_zero_gradients_stays_finite_under_every_stage_of_the_update():
    named = parameters()
    start = [p.detach().clone() for _, p in named]
    stages = [RelativeEpsilon(), StableAdamW(), UpdateClip(UpdateClipConfig(warmup_steps=0))]
    ours = StabilizedAdamW(named, interventions=stages, lr=0.1, eps=0.0, weight_decay=0.0)
    zero = [[torch.zeros_like(p) for _, p in named]] * 3
    for got, before in zip(train(ours, named, zero), start, strict=True):
        assert torch.equal(got, before)


def test_the_cold_guard_is_its_formula():
    def second(before, after, gradient):
        if np.all(before == 0):  # the first step lies in the warm-up
            return after
        woken = (before < (10 * 1e-6) ** 2) & (gradient**2 > 100 * before)
        return np.where(woken, np.maximum(after, gradient**2), after)

    steps = gradients(60, scale=1e-8)
    steps[30:] = [[1e5 * gradient for gradient in step] for step in steps[30:]]
    guard = ColdGuard(ColdGuardConfig(warmup_steps=1))
    against_naive([guard], steps, second=second)


@pytest.mark.parametrize("beta2", [0.95, 0.98, 0.999])
def test_after_the_guard_one_fresh_gradient_moves_a_coordinate_by_one_minus_beta1(beta2):
    sizes = {}
    for stages in ((), (ColdGuard(),)):
        weight = torch.nn.Parameter(torch.zeros(64))
        ours = StabilizedAdamW(
            [weight], lr=1.0, betas=(0.9, beta2), eps=1e-8, weight_decay=0.0, interventions=stages
        )
        weight.grad = torch.zeros(64)
        ours.step()
        ours.state[weight]["step"].fill_(100_000)  # bias correction is over
        ours.n_calls = 100_000
        weight.grad = torch.where(torch.arange(64) % 2 == 0, 1e-3, -1e-3)
        ours.step()
        sizes[stages] = weight.detach().abs()
    kick, guarded = sizes.values()
    torch.testing.assert_close(
        kick, torch.full((64,), fresh_gradient_update(0.9, beta2)), rtol=1e-3, atol=0
    )
    torch.testing.assert_close(guarded, torch.full((64,), 0.1), rtol=1e-3, atol=0)


@pytest.mark.parametrize("stage_type", [UpdateClip, StableAdamW, ColdGuard])
def test_no_stage_enlarges_the_step(stage_type):
    named, peers = parameters(), parameters()
    ours = StabilizedAdamW(named, interventions=[stage_type()], lr=0.02, weight_decay=0.0)
    peer = torch.optim.AdamW(peers, lr=0.02, weight_decay=0.0)
    steps = growing(120)
    for step in steps:
        for (_, parameter), (_, other) in zip(named, peers, strict=True):
            parameter.data.zero_(), other.data.zero_()
        got, expected = train(ours, named, [step]), train(peer, peers, [step])
        for one, other in zip(got, expected, strict=True):
            assert (one.norm() <= other.norm() * (1 + 1e-6)).all()


def test_a_stage_for_some_tensors_leaves_the_others_as_adamw_does():
    named, peers = parameters(), parameters()
    stage = UpdateClip(UpdateClipConfig(warmup_steps=0), enabled=False)
    stage.switch_on(["layers.1.weight"])
    ours = StabilizedAdamW(named, interventions=[stage], foreach=False, **SETTINGS)
    peer = torch.optim.AdamW(peers, foreach=False, **SETTINGS)
    got, expected = train(ours, named, growing()), train(peer, peers, growing())
    assert torch.equal(got[0], expected[0]) and not torch.equal(got[1], expected[1])
    stage.switch_off(["layers.1.weight"])
    assert not stage.enabled


def test_sums_go_through_the_given_reduction():
    """Two ranks that hold the same half each clip as one that holds both halves."""
    step = gradients(1, shapes=((6,),))[0][0]
    results = []
    for copies, reduce_sums in ((1, lambda sums, _: 2 * sums), (2, lambda sums, _: sums)):
        weight = torch.nn.Parameter(torch.zeros(6 * copies))
        ours = StabilizedAdamW(
            [weight],
            lr=1.0,
            weight_decay=0.0,
            interventions=[UpdateClip(UpdateClipConfig(warmup_steps=0))],
            reduce_sums=reduce_sums,
        )
        weight.grad = step.repeat(copies)
        ours.step()
        results.append(weight.detach()[:6])
    assert not torch.allclose(results[0], results[1])  # n_coordinates is the local tensor's here
    torch.testing.assert_close(results[0] * math.sqrt(2), results[1])


def test_the_update_of_a_tensor_step_is_what_is_applied():
    named = parameters()
    ours = StabilizedAdamW(
        named,
        lr=0.5,
        weight_decay=0.0,
        interventions=[StableAdamW(StableAdamWConfig(threshold=1e9))],
    )
    before = named[0][1].detach().clone()
    train(ours, named, gradients(1))
    update = tensor_steps(ours)[0]
    update.epsilon = 1e-8
    torch.testing.assert_close(named[0][1].detach(), before - 0.5 * update.update())


@pytest.mark.parametrize(
    "build",
    [
        lambda: UpdateClipConfig(times_healthy=0),
        lambda: UpdateClipConfig(warmup_steps=-1),
        lambda: StableAdamWConfig(threshold=-1),
        lambda: RelativeEpsilonConfig(ratio=0),
        lambda: RelativeEpsilonConfig(ratio=math.inf),
        lambda: RelativeEpsilonConfig(least=0),
        lambda: ColdGuardConfig(cold_epsilons=0),
        lambda: ColdGuardConfig(wake_ratio=-1),
        lambda: ColdGuardConfig(warmup_steps=-1),
    ],
)
def test_impossible_constants_are_refused(build):
    with pytest.raises(UserError):
        build()
