"""The watch under torchtitan's real `OptimizersContainer`, with its checkpoint format, on one process."""

from pathlib import Path
from typing import Any

import pytest
import torch
from torch import nn

from herd.foundation import UserError
from herd.stability import AdamWatch
from herd.stability.integrations import torchtitan_watch
from herd.stability.watch_log import record_of

optimizer_module = pytest.importorskip("torchtitan.components.optimizer")


def two_parts() -> list[nn.Module]:
    """Two pipeline stages of one model, with names that go on counting."""
    torch.manual_seed(0)
    layers = nn.ModuleDict({str(i): nn.Linear(8, 8) for i in range(4)})
    first = nn.ModuleDict({"layers": nn.ModuleDict({k: layers[k] for k in "01"})})
    second = nn.ModuleDict({"layers": nn.ModuleDict({k: layers[k] for k in "23"})})
    return [first, second]


def container(parts: list[nn.Module], **kwargs: Any) -> Any:
    config = optimizer_module.default_adamw(lr=1e-2, **kwargs)
    config.implementation = "foreach"
    return config.build(model_parts=parts)


def forward(parts: list[nn.Module], x_BD: torch.Tensor) -> torch.Tensor:
    for part in parts:
        for layer in part["layers"].values():  # type: ignore[index]
            x_BD = torch.tanh(layer(x_BD))
    return x_BD.square().mean()


def train(parts: list[nn.Module], optimizers: Any, watch: AdamWatch | None, steps: range) -> None:
    for step in steps:
        x_BD = torch.randn(4, 8, generator=torch.Generator().manual_seed(step))
        optimizers.zero_grad()
        loss = forward(parts, x_BD)
        loss.backward()
        optimizers.step()
        if watch is not None:
            watch.step(loss=loss.detach())


def weights(parts: list[nn.Module]) -> list[torch.Tensor]:
    return [each.detach() for part in parts for each in part.parameters()]


def test_the_weights_are_the_same_and_every_step_has_a_verdict() -> None:
    watched, plain = two_parts(), two_parts()
    ours, theirs = container(watched), container(plain)
    assert len(ours) == 2
    watch = torchtitan_watch(ours, watched)
    train(watched, ours, watch, range(5))
    train(plain, theirs, None, range(5))
    assert all(torch.equal(a, b) for a, b in zip(weights(watched), weights(plain), strict=True))
    assert watch.verdict.step == 5 and watch.verdict.watched
    assert watch.layers == [f"layers.{i}" for i in range(4)]


def test_the_statistics_are_those_of_one_optimizer_over_the_whole_model() -> None:
    parts, same = two_parts(), two_parts()
    optimizers = container(parts)
    watch = torchtitan_watch(optimizers, parts)
    single = torch.optim.AdamW(
        [each for part in same for each in part.parameters()],
        lr=1e-2, betas=(0.9, 0.95), eps=1e-8, weight_decay=0.1,
    )  # fmt: skip
    expected = AdamWatch(single, same)
    for step in range(3):
        train(parts, optimizers, watch, range(step, step + 1))
        train(same, single, expected, range(step, step + 1))
        assert record_of(watch) == record_of(expected)


def test_a_resumed_training_goes_on_watching_where_it_was(tmp_path: Path) -> None:
    through = two_parts()
    optimizers = container(through)
    watch = torchtitan_watch(optimizers, through)
    train(through, optimizers, watch, range(6))

    half = two_parts()
    optimizers = container(half)
    first = torchtitan_watch(optimizers, half)
    train(half, optimizers, first, range(3))
    saved = {
        "model": [part.state_dict() for part in half],
        "optimizer": optimizers.state_dict(),
        "stability": first.state_dict(),
    }
    torch.save(saved, tmp_path / "checkpoint.pt")

    loaded = torch.load(tmp_path / "checkpoint.pt")
    resumed = two_parts()
    for part, state in zip(resumed, loaded["model"], strict=True):
        part.load_state_dict(state)
    optimizers = container(resumed)
    optimizers.load_state_dict(loaded["optimizer"])
    second = torchtitan_watch(optimizers, resumed)
    second.load_state_dict(loaded["stability"])
    train(resumed, optimizers, second, range(3, 6))
    assert all(torch.equal(a, b) for a, b in zip(weights(resumed), weights(through), strict=True))
    assert second.state_dict() == watch.state_dict()
    assert record_of(second) == record_of(watch)


def test_asking_the_container_for_its_state_before_the_first_step_does_no_harm() -> None:
    """torchtitan then makes a step with zero gradients at rate 0, to create the moments."""
    parts, same = two_parts(), two_parts()
    optimizers, others = container(parts), container(same)
    watch, expected = torchtitan_watch(optimizers, parts), torchtitan_watch(others, same)
    optimizers.state_dict()
    others.state_dict()
    expected = torchtitan_watch(others, same)
    for step in range(3):
        train(parts, optimizers, watch, range(step, step + 1))
        train(same, others, expected, range(step, step + 1))
    assert record_of(watch) == record_of(expected)


def test_an_optimizer_that_is_not_adams_is_refused() -> None:
    parts = two_parts()
    other = torch.optim.SGD([each for part in parts for each in part.parameters()], lr=0.1)
    with pytest.raises(UserError, match="not of SGD"):
        torchtitan_watch([other], parts)
    with pytest.raises(UserError, match="no container of optimizers"):
        torchtitan_watch(other, parts)  # type: ignore[arg-type]
