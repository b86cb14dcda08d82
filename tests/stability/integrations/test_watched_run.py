"""A watch in somebody else's trainer: what is logged, said, and refused."""

import logging
from pathlib import Path
from typing import Any

import pytest
import torch

from herd.foundation import UserError
from herd.stability import AdamWatch, Level, WatchVerdict, read_watch_log
from herd.stability.integrations.watched_run import WatchedRun


def watched(width: int = 4) -> tuple[torch.nn.Module, torch.optim.Optimizer, AdamWatch]:
    torch.manual_seed(0)
    model = torch.nn.Linear(width, 2)
    optimizer = torch.optim.AdamW(model.parameters())
    return model, optimizer, AdamWatch(optimizer, model)


def step(run: WatchedRun, model: torch.nn.Module, optimizer: torch.optim.Optimizer) -> None:
    optimizer.zero_grad()
    loss = model(torch.ones(1, 4)).square().sum()
    loss.backward()
    optimizer.step()
    run.step(loss, None)


def steps_in(folder: Path) -> list[int]:
    return [record["step"] for record in read_watch_log(folder / "stability.jsonl")[1]]


def test_a_resumed_run_drops_the_lines_after_its_checkpoint_and_a_new_one_all(
    tmp_path: Path,
) -> None:
    model, optimizer, watch = watched()
    run = WatchedRun(watch, tmp_path / "new", None, 0)
    for i in range(5):
        step(run, model, optimizer)
        if i == 2:
            state = run.state_dict()
    run.close()
    assert steps_in(tmp_path / "new") == [1, 2, 3, 4, 5]
    again = WatchedRun(AdamWatch(optimizer, model), tmp_path / "new", state, 3)
    assert steps_in(tmp_path / "new") == [1, 2, 3]
    step(again, model, optimizer)
    again.close()
    assert steps_in(tmp_path / "new") == [1, 2, 3, 4]
    WatchedRun(AdamWatch(optimizer, model), tmp_path / "new", state, 0).close()
    assert steps_in(tmp_path / "new") == []


def test_a_closed_run_leaves_no_hook_and_may_be_closed_again(tmp_path: Path) -> None:
    model, optimizer, watch = watched()
    run = WatchedRun(watch, tmp_path, None, 0)
    run.close()
    run.close()
    assert not optimizer._optimizer_step_pre_hooks
    step(WatchedRun(AdamWatch(optimizer, model), None, None, 0), model, optimizer)
    assert steps_in(tmp_path) == []


def test_a_change_of_level_is_said_once(
    tmp_path: Path, caplog: pytest.LogCaptureFixture, monkeypatch: pytest.MonkeyPatch
) -> None:
    bad = {"level": Level.ALARM, "layers": ("layers.0",), "reasons": ("layers.0: it grows",)}
    verdicts = [
        WatchVerdict(step=1),
        WatchVerdict(step=2, **bad),
        WatchVerdict(step=3, **(bad | {"reasons": ("layers.0: it grows more",)})),
        WatchVerdict(step=4),
    ]
    coming = iter(verdicts)

    def next_verdict(*_: Any, **__: Any) -> WatchVerdict:
        return next(coming)

    monkeypatch.setattr(AdamWatch, "step", next_verdict)
    run = WatchedRun(watched()[2], tmp_path, None, 0)
    with caplog.at_level(logging.INFO, logger="herd.stability"):
        for _ in verdicts:
            run.step(None, None)
    run.close()
    assert [(each.levelname, each.message) for each in caplog.records] == [
        ("WARNING", "stability at step 2: ALARM: layers.0: it grows"),
        ("INFO", "stability at step 4: OK: every layer is well"),
    ]


def test_the_state_of_another_model_is_refused(tmp_path: Path) -> None:
    other = torch.nn.Sequential(torch.nn.Linear(2, 2))
    optimizer = torch.optim.AdamW(other.parameters())
    state = AdamWatch(optimizer, other).state_dict()
    with pytest.raises(UserError, match="another model"):
        WatchedRun(watched()[2], tmp_path, state, 3)
