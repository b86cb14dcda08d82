"""The watch against what torch's optimizers really did, on every implementation of Adam."""

import copy
from collections.abc import Callable
from typing import Any

import pytest
import torch
from torch import nn

from herd.foundation import UserError
from herd.stability import AdamWatch, Level, Mechanism, WatchConfig
from herd.stability.statistics import UpdateStatistics

EVERYTHING = WatchConfig(max_coordinates=None)
KINDS: dict[str, Callable[..., torch.optim.Optimizer]] = {
    "adamw single tensor": lambda p: torch.optim.AdamW(p, lr=1e-2, weight_decay=0.0, foreach=False),
    "adamw foreach": lambda p: torch.optim.AdamW(p, lr=1e-2, weight_decay=0.0, foreach=True),
    "adamw fused": lambda p: torch.optim.AdamW(p, lr=1e-2, weight_decay=0.0, fused=True),
    "adam": lambda p: torch.optim.Adam(p, lr=1e-2, betas=(0.8, 0.9)),
    "coupled decay": lambda p: torch.optim.Adam(p, lr=1e-2, weight_decay=0.1),
    "amsgrad": lambda p: torch.optim.AdamW(p, lr=1e-2, weight_decay=0.0, amsgrad=True),
    "maximize": lambda p: torch.optim.AdamW(p, lr=1e-2, weight_decay=0.0, maximize=True),
    "tensor rate": lambda p: torch.optim.AdamW(p, lr=torch.tensor(1e-2), weight_decay=0.0),
    "large epsilon": lambda p: torch.optim.AdamW(p, lr=1e-2, weight_decay=0.0, eps=1e-2),
}


def make_model(seed: int = 0) -> nn.Module:
    torch.manual_seed(seed)
    return nn.Sequential(nn.Embedding(20, 8), nn.Linear(8, 33), nn.Tanh(), nn.Linear(33, 20))


def loss_of(model: nn.Module, step: int) -> torch.Tensor:
    generator = torch.Generator().manual_seed(step)
    x, y = torch.randint(20, (2, 64), generator=generator)
    return nn.functional.cross_entropy(model(x), y)


def train(
    model: nn.Module,
    optimizer: torch.optim.Optimizer,
    steps: range,
    watch: AdamWatch | None = None,
) -> list[Any]:
    verdicts = []
    for step in steps:
        optimizer.zero_grad()
        loss = loss_of(model, step)
        loss.backward()
        optimizer.step()
        if watch is not None:
            verdicts.append(watch.step(loss=loss))
    return verdicts


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("n_steps", [1, 2, 12])
def test_the_update_is_the_one_that_the_optimizer_made(kind: str, n_steps: int) -> None:
    model = make_model()
    optimizer = KINDS[kind](model.parameters())
    watch = AdamWatch(optimizer, model, config=EVERYTHING)
    train(model, optimizer, range(n_steps - 1), watch)
    before = [p.detach().clone() for p in model.parameters()]
    train(model, optimizer, range(n_steps - 1, n_steps), watch)
    for (name, after), old in zip(model.named_parameters(), before, strict=True):
        made = (old - after.detach()).double() / 1e-2
        found = watch.tensor_statistics[name]
        # The difference of weights in float32 knows the update to some 1e-5.
        assert found.update_rms == pytest.approx(made.square().mean().sqrt().item(), abs=3e-5)
        assert found.update_max == pytest.approx(made.abs().max().item(), abs=2e-4)
        assert found.n == after.numel()


def test_cosines_are_with_the_moment_and_the_update_of_the_step_before() -> None:
    model = make_model()
    optimizer = torch.optim.AdamW(model.parameters(), lr=1e-2, weight_decay=0.0)
    watch = AdamWatch(optimizer, model, config=EVERYTHING)
    train(model, optimizer, range(9), watch)
    moments = [optimizer.state[p]["exp_avg"].double().clone() for p in model.parameters()]
    before = [p.detach().double().clone() for p in model.parameters()]
    train(model, optimizer, range(9, 10), watch)
    updates = [b - p.detach().double() for b, p in zip(before, model.parameters(), strict=True)]
    train(model, optimizer, range(10, 11), watch)
    for (name, p), update in zip(model.named_parameters(), updates, strict=True):
        expected = torch.cosine_similarity(p.grad.double().flatten(), update.flatten(), dim=0)
        assert watch.tensor_statistics[name].alignment == pytest.approx(expected.item(), abs=2e-4)
    assert len(moments) == len(updates)


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("every_steps", [1, 3])
def test_training_is_bit_for_bit_the_same_with_and_without_the_watch(
    kind: str, every_steps: int
) -> None:
    weights = []
    for is_watched in (False, True):
        model = make_model()
        optimizer = KINDS[kind](model.parameters())
        config = WatchConfig(every_steps=every_steps)
        watch = AdamWatch(optimizer, model, config=config) if is_watched else None
        torch.manual_seed(5)
        train(model, optimizer, range(12), watch)
        weights.append([*model.state_dict().values(), torch.rand(3)])  # nor is a number drawn
    assert all(torch.equal(a, b) for a, b in zip(*weights, strict=True))


def test_a_sample_of_coordinates_stands_for_all_of_them() -> None:
    torch.manual_seed(0)
    weight = nn.Parameter(torch.randn(600, 500))
    optimizer = torch.optim.AdamW([weight])
    all_of_it = AdamWatch(optimizer, [("w", weight)], config=EVERYTHING)
    some = AdamWatch(optimizer, [("w", weight)])
    for _ in range(30):
        weight.grad = torch.randn_like(weight)
        optimizer.step()
        all_of_it.step(), some.step()
    whole, sample = all_of_it.tensor_statistics["w"], some.tensor_statistics["w"]
    assert sample.n <= 8192 < whole.n == 300_000
    assert sample.update_rms == pytest.approx(whole.update_rms, rel=0.03)
    assert sample.alignment == pytest.approx(whole.alignment, abs=0.03)


def test_a_layer_adds_up_its_tensors() -> None:
    model = make_model()
    optimizer = torch.optim.AdamW(model.parameters(), lr=1e-2)
    watch = AdamWatch(optimizer, model, config=EVERYTHING)
    train(model, optimizer, range(3), watch)
    tensors, layer = watch.tensor_statistics, watch.statistics["1"]
    parts = [tensors["1.weight"], tensors["1.bias"]]
    squares = sum(part.n * part.update_rms**2 for part in parts)
    assert layer.n == sum(part.n for part in parts)
    assert layer.update_rms == pytest.approx((squares / layer.n) ** 0.5)
    assert layer.histogram == tuple(map(sum, zip(*(p.histogram for p in parts), strict=True)))


def test_parameter_groups_keep_their_own_betas_and_rates() -> None:
    model = make_model()
    first, *others = model.parameters()
    groups = [{"params": [first], "betas": (0.5, 0.6), "lr": 1e-1}, {"params": others}]
    optimizer = torch.optim.AdamW(groups, lr=1e-3)
    watch = AdamWatch(optimizer, model, config=EVERYTHING)
    train(model, optimizer, range(30), watch)
    found = watch.tensor_statistics
    assert found["0.weight"].update_rms > 1.3 * found["1.weight"].update_rms  # beta1 0.5: 0.58
    assert found["0.weight"].update_to_weight > 20 * found["1.weight"].update_to_weight


def test_moments_in_bfloat16_are_read_in_float32() -> None:
    model = make_model().bfloat16()
    optimizer = torch.optim.AdamW(model.parameters(), lr=1e-2)
    watch = AdamWatch(optimizer, model)
    train(model, optimizer, range(20), watch)
    assert optimizer.state[next(model.parameters())]["exp_avg"].dtype == torch.bfloat16
    assert all(0.1 < each.update_rms < 1.0 for each in watch.statistics.values())


def test_a_tensor_without_gradient_or_elements_is_left_out() -> None:
    used, unused = nn.Parameter(torch.ones(5)), nn.Parameter(torch.ones(5))
    empty, scalar = nn.Parameter(torch.ones(0, 3)), nn.Parameter(torch.tensor(1.0))
    named = [("used", used), ("unused", unused), ("empty", empty), ("scalar", scalar)]
    optimizer = torch.optim.AdamW([p for _, p in named])
    watch = AdamWatch(optimizer, named)
    used.grad, empty.grad, scalar.grad = torch.ones(5), torch.ones(0, 3), torch.tensor(2.0)
    optimizer.step()
    assert watch.step().level is Level.OK
    assert watch.tensor_statistics["empty"].n == 0
    assert watch.tensor_statistics["scalar"].update_rms == pytest.approx(1.0, abs=1e-4)


def test_a_step_that_the_scaler_skips_changes_no_statistics() -> None:
    model = make_model()
    optimizer = torch.optim.AdamW(model.parameters(), lr=1e-2)
    watch = AdamWatch(optimizer, model)
    train(model, optimizer, range(3), watch)
    before = watch.statistics
    assert watch.step(loss=1.0).watched is False  # optimizer.step() was not called
    assert_same(watch.statistics, before)
    verdict = train(model, optimizer, range(3, 4), watch)[0]
    assert verdict.step == 5 and verdict.watched


def assert_same(a: dict[str, UpdateStatistics], b: dict[str, UpdateStatistics]) -> None:
    assert repr(a) == repr(b)


@pytest.mark.parametrize("bad", [float("nan"), float("inf")])
def test_a_gradient_that_is_not_finite_is_a_recorded_alarm(bad: float) -> None:
    model = make_model()
    optimizer = torch.optim.AdamW(model.parameters(), lr=1e-2)
    watch = AdamWatch(optimizer, model, config=EVERYTHING)
    train(model, optimizer, range(3), watch)
    loss_of(model, 3).backward()
    model[1].weight.grad[0, 0] = bad  # type: ignore[union-attr, index]
    optimizer.step()
    verdict = watch.step(loss=float("nan"))
    assert verdict.level is Level.ALARM and verdict.layers == ("1",)
    assert verdict.mechanisms == (Mechanism.NOT_FINITE,)
    assert any(
        "1.weight: its gradient or a moment is not finite" in reason for reason in verdict.reasons
    )


@pytest.mark.parametrize("every_steps", [1, 4])
def test_a_resumed_watch_goes_on_as_if_never_stopped(every_steps: int) -> None:
    config = WatchConfig(every_steps=every_steps)
    model = make_model()
    optimizer = torch.optim.AdamW(model.parameters(), lr=1e-2)
    watch = AdamWatch(optimizer, model, config=config)
    train(model, optimizer, range(90), watch)
    saved = copy.deepcopy((model.state_dict(), optimizer.state_dict(), watch.state_dict()))
    whole = train(model, optimizer, range(90, 110), watch)

    again = make_model(1)
    optimizer = torch.optim.AdamW(again.parameters(), lr=1e-2)
    resumed = AdamWatch(optimizer, again, config=config)
    again.load_state_dict(saved[0])
    optimizer.load_state_dict(saved[1])
    resumed.load_state_dict(saved[2])
    assert train(again, optimizer, range(90, 110), resumed) == whole
    assert resumed.state_dict() == watch.state_dict()
    assert_same(resumed.statistics, watch.statistics)


def test_the_state_of_another_model_is_refused_in_one_line() -> None:
    model = make_model()
    state = AdamWatch(torch.optim.AdamW(model.parameters()), model).state_dict()
    other = nn.Linear(3, 3)
    watch = AdamWatch(torch.optim.AdamW(other.parameters()), other)
    with pytest.raises(UserError, match="another model"):
        watch.load_state_dict(state)


@pytest.mark.parametrize(
    "make",
    [
        lambda p: torch.optim.SGD(p, lr=0.1),
        lambda p: torch.optim.Adafactor(p),
        lambda p: torch.optim.NAdam(p),
        lambda p: torch.optim.Adamax(p),
        lambda p: "adam",
    ],
)
def test_an_optimizer_of_another_family_is_refused(make: Callable[[Any], Any]) -> None:
    model = make_model()
    with pytest.raises(UserError, match="Adam and AdamW"):
        AdamWatch([make(model.parameters())], model)


def test_the_parameters_of_another_model_are_refused() -> None:
    model = make_model()
    with pytest.raises(UserError, match="not the model's"):
        AdamWatch(torch.optim.AdamW(make_model(1).parameters()), model)


class RowwiseAdam(torch.optim.AdamW):
    """Keeps one second moment a row, as Adam-mini does in its way."""

    @torch.no_grad()
    def step(self, closure: Any = None) -> None:  # type: ignore[override]
        for parameter in self.param_groups[0]["params"]:
            v = parameter.grad.square().flatten(1).mean(1) if parameter.ndim > 1 else parameter.grad
            self.state[parameter] = {
                "exp_avg": parameter.grad.clone(),
                "exp_avg_sq": v,
                "step": 1.0,
            }
            parameter.sub_(0.01 * parameter.grad)


def test_moments_of_an_unexpected_shape_are_a_verdict_and_training_goes_on() -> None:
    model = make_model()
    optimizer = RowwiseAdam(model.parameters())
    watch = AdamWatch(optimizer, model)
    verdicts = train(model, optimizer, range(3), watch)
    assert verdicts[2].level is Level.WATCH and not verdicts[2].watched
    assert "exp_avg_sq of 0.weight has shape [20]" in verdicts[2].reasons[0]


@pytest.mark.parametrize(
    "field",
    [
        {"every_steps": 0},
        {"max_coordinates": 0},
        {"every_steps": float("nan")},
        {"every_steps": "a"},
    ],
)
def test_settings_out_of_range_are_named(field: dict[str, Any]) -> None:
    with pytest.raises(UserError, match=next(iter(field))):
        WatchConfig(**field)


def test_the_sampled_level_looks_at_every_tenth_step() -> None:
    model = make_model()
    optimizer = torch.optim.AdamW(model.parameters(), lr=1e-3)
    watch = AdamWatch(optimizer, model, config=WatchConfig(every_steps=10))
    verdicts = train(model, optimizer, range(35), watch)
    assert [each.step for each in verdicts if each.watched] == [10, 20, 30]


def test_several_optimizers_and_model_parts_are_one_run() -> None:
    model = make_model()
    parts = [nn.Sequential(*list(model)[:2]), nn.ModuleDict({"head": model[3]})]  # type: ignore[arg-type, index]
    optimizers = [torch.optim.AdamW(part.parameters(), lr=1e-2) for part in parts]
    watch = AdamWatch(optimizers, parts, config=EVERYTHING)
    for step in range(3):
        loss = loss_of(model, step)
        loss.backward()
        for optimizer in optimizers:
            optimizer.step()
        assert watch.step(loss=loss).watched
        model.zero_grad()
    assert list(watch.statistics) == ["0", "1", "head"]


@pytest.mark.parametrize(
    "loss",
    ["abc", {}, 10**400, torch.ones(0), torch.ones((), device="meta"), torch.ones(3), None],
)
@pytest.mark.parametrize("every_steps", [1, 3])
def test_a_loss_that_is_no_number_does_not_stop_a_training(loss: Any, every_steps: int) -> None:
    model = make_model()
    optimizer = torch.optim.AdamW(model.parameters(), lr=1e-2)
    watch = AdamWatch(optimizer, model, config=WatchConfig(every_steps=every_steps))
    for step in range(4):
        loss_of(model, step).backward()
        optimizer.step()
        assert watch.step(loss=loss).level is Level.OK


def test_groups_that_vanish_are_a_verdict_and_training_goes_on() -> None:
    model = make_model()
    first, *others = model.parameters()
    optimizer = torch.optim.AdamW([{"params": [first]}, {"params": others}])
    watch = AdamWatch(optimizer, model)
    train(model, optimizer, range(2), watch)
    optimizer.param_groups.pop()
    assert "not watched" in train(model, optimizer, range(2, 3), watch)[0].reasons[0]


def test_a_watch_whose_optimizer_no_longer_steps_says_so() -> None:
    model = make_model()
    watched = torch.optim.AdamW(model.parameters())
    watch = AdamWatch(watched, model)
    other = torch.optim.AdamW(model.parameters())
    verdicts = train(model, other, range(12), watch)
    assert verdicts[5].level is Level.OK
    assert verdicts[-1].level is Level.WATCH and "makes no steps" in verdicts[-1].reasons[0]


@pytest.mark.parametrize(
    "damage",
    [
        {"step": "zz"}, {"n_watched": None}, {"levels": {}}, {"run_level": "no"}, {"tensors": {}},
        {"scores": 3}, {"verdict": {}},
    ],
)  # fmt: skip
def test_a_damaged_state_is_refused_and_changes_nothing(damage: dict[str, Any]) -> None:
    model = make_model()
    optimizer = torch.optim.AdamW(model.parameters())
    watch = AdamWatch(optimizer, model)
    train(model, optimizer, range(3), watch)
    good = copy.deepcopy(watch.state_dict())
    with pytest.raises(UserError, match="damaged"):
        watch.load_state_dict({**good, **damage})
    assert watch.state_dict() == good


@pytest.mark.parametrize("state", [None, "abc", {}, {"names": 3}])
def test_what_is_no_state_is_refused(state: Any) -> None:
    model = make_model()
    with pytest.raises(UserError, match="another model"):
        AdamWatch(torch.optim.AdamW(model.parameters()), model).load_state_dict(state)


@pytest.mark.parametrize(
    "wrong", [None, 3, "abc", lambda m: m.parameters(), lambda m: dict(m.named_parameters())]
)
def test_what_is_no_model_is_refused(wrong: Any) -> None:
    model = make_model()
    with pytest.raises(UserError, match="module"):
        AdamWatch(torch.optim.AdamW(model.parameters()), wrong(model) if callable(wrong) else wrong)


def test_the_same_optimizer_twice_is_refused() -> None:
    model = make_model()
    optimizer = torch.optim.AdamW(model.parameters())
    with pytest.raises(UserError, match="the same parameter"):
        AdamWatch([optimizer, optimizer], model)


def test_parameters_on_the_meta_device_are_refused() -> None:
    with torch.device("meta"):
        model = make_model()
    with pytest.raises(UserError, match="meta"):
        AdamWatch(torch.optim.AdamW(model.parameters()), model)


def test_a_detached_watch_leaves_no_hook_behind() -> None:
    model = make_model()
    optimizer = torch.optim.AdamW(model.parameters())
    AdamWatch(optimizer, model).detach()
    assert not optimizer._optimizer_step_pre_hooks


def test_the_hot_path_never_asks_the_device_for_a_number() -> None:
    model = make_model()
    optimizer = torch.optim.AdamW(model.parameters(), lr=1e-2)
    watch = AdamWatch(optimizer, model)
    train(model, optimizer, range(3), watch)
    loss_of(model, 3).backward()
    capture = watch._capture
    with NoReads():
        capture.capture()
    with NoReads():
        assert capture.take_sums() is not None


class NoReads(torch.utils._python_dispatch.TorchDispatchMode):
    """Fails where a device's tensor becomes a Python number; torch's step counts are on the CPU."""

    def __torch_dispatch__(self, func: Any, types: Any, args: Any = (), kwargs: Any = None) -> Any:
        is_count = args and isinstance(args[0], torch.Tensor) and args[0].ndim == 0
        if func is torch.ops.aten._local_scalar_dense.default and not is_count:
            raise AssertionError(f"{func} reads {args[0]}")
        if func in (torch.ops.aten.nonzero.default, torch.ops.aten.bincount.default):
            raise AssertionError(f"{func} waits for the device")
        return func(*args, **(kwargs or {}))


@pytest.mark.gpu
def test_on_a_gpu_nothing_waits_and_the_verdict_is_one_step_late() -> None:
    model = make_model().cuda()
    optimizer = torch.optim.AdamW(model.parameters(), lr=1e-2, fused=True)
    watch = AdamWatch(optimizer, model)
    verdicts = []
    for step in range(6):
        x, y = (torch.randint(20, (64,), device="cuda") for _ in range(2))
        loss = nn.functional.cross_entropy(model(x), y)
        loss.backward()
        torch.cuda.set_sync_debug_mode("error" if step > 1 else "default")
        optimizer.step()
        verdicts.append(watch.step(loss=loss.detach()))
        torch.cuda.set_sync_debug_mode("default")
        optimizer.zero_grad()
    assert [each.step for each in verdicts[1:]] == [1, 2, 3, 4, 5]
    assert 0.05 < watch.statistics["1"].update_rms < 1.1
