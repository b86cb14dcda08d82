"""The optimizer with all stages off is torch's, bitwise; with idle stages equal; resumed as if never stopped."""

import copy
import io
import json

import pytest
import torch

from herd.foundation import UserError
from herd.stability.interventions.config import InterventionConfig
from herd.stability.interventions.skip_step import SkipStep
from herd.stability.interventions.stabilized_adamw import StabilizedAdamW
from herd.stability.interventions.stage import GradientStage, Stage
from herd.stability.interventions.update_clip import UpdateClip
from tests.stability.interventions.toy import NaiveAdamW, gradients, groups, parameters, train

EVERYTHING = InterventionConfig(
    skip_step=True,
    update_clip=True,
    learning_rate_damp=True,
    cold_guard=True,
    relative_epsilon=1e-3,
    moment_reset=True,
    zclip=True,
    adagc=True,
    stable_adamw=True,
)
IMPLEMENTATIONS = [{"foreach": False}, {"foreach": True}, {"fused": True}, {}]


@pytest.mark.parametrize("options", IMPLEMENTATIONS, ids=str)
@pytest.mark.parametrize("stages", [False, True], ids=["no stages", "all switched off"])
def test_with_all_off_it_is_torch_bitwise(options, stages):
    config = EVERYTHING if stages else InterventionConfig()
    named, peers = parameters(), parameters()
    ours = StabilizedAdamW(
        groups(named), lr=0.01, interventions=config.optimizer_stages(), **options
    )
    for stage in ours.interventions:
        stage.switch_off()
    peer = torch.optim.AdamW(groups(peers), lr=0.01, **options)
    steps = gradients(12)
    for got, expected in zip(train(ours, named, steps), train(peer, peers, steps), strict=True):
        assert torch.equal(got, expected)
    for (_, parameter), (_, other) in zip(named, peers, strict=True):
        for key in ("exp_avg", "exp_avg_sq", "step"):
            assert torch.equal(ours.state[parameter][key], peer.state[other][key])


@pytest.mark.parametrize("stage", [Stage, GradientStage, SkipStep, UpdateClip])
@pytest.mark.parametrize("maximize", [False, True])
def test_a_stage_with_nothing_to_do_leaves_torchs_single_tensor_step_bitwise(stage, maximize):
    named, peers = parameters(), parameters()
    options = {"lr": 0.01, "foreach": False, "maximize": maximize}
    ours = StabilizedAdamW(groups(named), interventions=[stage()], **options)
    peer = torch.optim.AdamW(groups(peers), **options)
    steps = gradients(30)
    for got, expected in zip(train(ours, named, steps), train(peer, peers, steps), strict=True):
        assert torch.equal(got, expected)


@pytest.mark.parametrize("options", IMPLEMENTATIONS, ids=str)
def test_stages_can_be_switched_on_and_off_while_running(options):
    named, peers = parameters(), parameters()
    stage = Stage()
    ours = StabilizedAdamW(groups(named), lr=0.01, interventions=[stage], **options)
    peer = torch.optim.AdamW(groups(peers), lr=0.01, **options)
    steps = gradients(9)
    for i in range(3):
        stage.enabled = i != 1
        ours_now = train(ours, named, steps[3 * i : 3 * i + 3])
        peer_now = train(peer, peers, steps[3 * i : 3 * i + 3])
        for got, expected in zip(ours_now, peer_now, strict=True):
            torch.testing.assert_close(got, expected, rtol=1e-6, atol=1e-6)


def test_the_written_out_step_is_the_formula():
    named = parameters()
    ours = StabilizedAdamW(named, lr=0.02, weight_decay=0.1, interventions=[Stage()])
    naive = [
        NaiveAdamW(p.detach(), lr=0.02, betas=(0.9, 0.999), eps=1e-8, weight_decay=0.1)
        for _, p in named
    ]
    steps = gradients(20)
    train(ours, named, steps)
    for step in steps:
        for oracle, gradient in zip(naive, step, strict=True):
            oracle.step(gradient)
    for (_, parameter), oracle in zip(named, naive, strict=True):
        torch.testing.assert_close(
            parameter.detach().double(), torch.from_numpy(oracle.value), rtol=1e-5, atol=1e-6
        )


def test_bfloat16_weights_and_moments_are_stepped_in_float32():
    named = parameters(dtype=torch.bfloat16)
    start = named[0][1].detach().clone()
    ours = StabilizedAdamW(named, lr=0.1, interventions=[Stage()], weight_decay=0.0)
    train(ours, named, gradients(1))
    gradient = named[0][1].grad.float()
    second = (0.001 * gradient.square()).to(torch.bfloat16).float() / 0.001
    first = (0.1 * gradient).to(torch.bfloat16).float() / 0.1
    expected = (start.float() - 0.1 * first / (second.sqrt() + 1e-8)).to(torch.bfloat16)
    torch.testing.assert_close(named[0][1].detach(), expected, rtol=2**-8, atol=0)
    assert ours.state[named[0][1]]["exp_avg"].dtype == torch.bfloat16


def test_a_parameter_without_gradient_stays_and_has_no_state():
    named = parameters()
    start = named[0][1].detach().clone()
    ours = StabilizedAdamW(named, lr=0.1, interventions=EVERYTHING.optimizer_stages())
    train(ours, named, [[None, *step[1:]] for step in gradients(3)])
    assert torch.equal(named[0][1].detach(), start)
    assert named[0][1] not in ours.state


def run_with_everything(named, steps, *, stop_at=None):
    def build(parameters_):
        optimizer = StabilizedAdamW(
            groups(parameters_),
            lr=0.01,
            interventions=EVERYTHING.optimizer_stages(),
            log=log.append,
        )
        return optimizer

    log = []
    optimizer = build(named)
    for i, step in enumerate(steps):
        if i == 4:
            optimizer.interventions[1].reset(["layers.0.weight"])
            optimizer.interventions[-1].damp(["layers.0.weight"])
        if i == 9:
            optimizer.interventions[1].undo()
        if i == stop_at:
            file = io.BytesIO()
            torch.save(optimizer.state_dict(), file)
            file.seek(0)
            named = [(n, torch.nn.Parameter(p.detach().clone())) for n, p in named]
            optimizer = build(named)
            optimizer.load_state_dict(torch.load(file, weights_only=True))
        train(optimizer, named, [step], loss=torch.tensor(2.0 + (i == 100)))
    return [p.detach() for _, p in named], log


@pytest.mark.parametrize("stop_at", [1, 5, 90])
def test_a_resumed_run_with_every_stage_on_equals_the_uninterrupted_one_bitwise(stop_at):
    steps = gradients(130)
    for i in (60, 120):
        steps[i] = [50 * gradient for gradient in steps[i]]
    expected, expected_log = run_with_everything(parameters(), steps)
    got, log = run_with_everything(parameters(), steps, stop_at=stop_at)
    for one, other in zip(got, expected, strict=True):
        assert torch.equal(one, other)
    assert (
        json.loads(json.dumps(log)) == expected_log
        and len({line["intervention"] for line in log}) >= 5
    )


def test_the_state_without_stages_is_torchs_and_torchs_state_can_be_loaded():
    named, peers = parameters(), parameters()
    ours = StabilizedAdamW(groups(named), lr=0.01)
    peer = torch.optim.AdamW(groups(peers), lr=0.01)
    train(ours, named, gradients(2)), train(peer, peers, gradients(2))
    assert ours.state_dict().keys() == peer.state_dict().keys()
    other = StabilizedAdamW(groups(parameters()), lr=0.01, interventions=[UpdateClip()])
    other.load_state_dict(copy.deepcopy(peer.state_dict()))
    assert other.n_calls == 0


def test_a_learning_rate_schedule_drives_it():
    named, peers = parameters(), parameters()
    ours = StabilizedAdamW(named, lr=0.1, interventions=[Stage()], foreach=False)
    peer = torch.optim.AdamW(peers, lr=0.1, foreach=False)
    schedules = [torch.optim.lr_scheduler.ExponentialLR(o, 0.5) for o in (ours, peer)]
    for step in gradients(4):
        got, expected = train(ours, named, [step]), train(peer, peers, [step])
        for schedule in schedules:
            schedule.step()
        assert all(torch.equal(one, other) for one, other in zip(got, expected, strict=True))


def test_hooks_run_once_a_step():
    torch.optim.AdamW([torch.nn.Parameter(torch.ones(1))])  # patches the step of the class
    for stages in ([], [Stage()], [GradientStage()]):
        named = parameters()
        calls = []
        optimizer = StabilizedAdamW(named, lr=0.01, interventions=stages)
        optimizer.register_step_pre_hook(lambda *_, calls=calls: calls.append("before"))
        optimizer.register_step_post_hook(lambda *_, calls=calls: calls.append("after"))
        train(optimizer, named, gradients(2))
        assert calls == ["before", "after"] * 2


def test_the_closure_is_called_once_with_gradients_enabled():
    weight = torch.nn.Parameter(torch.ones(3))
    optimizer = StabilizedAdamW([weight], interventions=[Stage()])
    calls = []

    def closure():
        optimizer.zero_grad()
        loss = weight.square().sum()
        loss.backward()
        calls.append(loss)
        return loss

    assert optimizer.step(closure) is calls[0] and len(calls) == 1


def test_a_gradient_scaler_skips_and_unscales():
    weight = torch.nn.Parameter(torch.ones(3))
    optimizer = StabilizedAdamW([weight], lr=0.1, fused=True, interventions=[Stage()])
    scaler = torch.amp.GradScaler("cpu", init_scale=4.0)
    weight.grad = torch.tensor([float("inf"), 1.0, 1.0])
    scaler.scale(torch.ones(()))
    scaler.step(optimizer)
    scaler.update()
    assert torch.equal(weight.detach(), torch.ones(3))


@pytest.mark.parametrize(
    "options",
    [
        {"amsgrad": True},
        {"differentiable": True},
        {"betas": (torch.tensor(0.9), torch.tensor(0.99)), "foreach": False},
    ],
    ids=str,
)
def test_options_that_stages_do_not_support_are_refused(options):
    with pytest.raises(UserError, match="interventions"):
        StabilizedAdamW(parameters(), interventions=[UpdateClip()], **options)


def test_the_same_stage_twice_is_refused():
    with pytest.raises(UserError, match="once"):
        StabilizedAdamW(parameters(), interventions=[UpdateClip(), UpdateClip()])


def test_sparse_gradients_are_refused():
    weight = torch.nn.Parameter(torch.ones(3, 2))
    optimizer = StabilizedAdamW([("table", weight)], interventions=[GradientStage()])
    weight.grad = torch.ones(3, 2).to_sparse()
    with pytest.raises(UserError, match="table"):
        optimizer.step()
