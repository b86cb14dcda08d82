"""The watch inside the real Lightning `Trainer`."""

import importlib
from pathlib import Path
from typing import Any

import pytest
import torch
from torch import Tensor, nn

from herd.foundation import UserError
from herd.stability import AdamWatch, Level, WatchConfig, WatchVerdict, read_watch_log
from herd.stability.integrations import lightning_callback, lightning_watch
from herd.stability.watch_log import record_of

pl = pytest.importorskip("lightning.pytorch")
pytestmark = [
    pytest.mark.filterwarnings("ignore:.*LeafSpec.* is deprecated:FutureWarning"),
    pytest.mark.filterwarnings("ignore:.*does not have many workers"),
]
BATCHES = 8


class Regression(pl.LightningModule):  # type: ignore[misc, name-defined]
    """Two linear layers on random data."""

    def __init__(self, optimizer: type = torch.optim.AdamW) -> None:
        super().__init__()
        torch.manual_seed(0)
        self.layers = nn.Sequential(nn.Linear(4, 8), nn.Tanh(), nn.Linear(8, 1))
        self.optimizer = optimizer

    def training_step(self, batch: list[Tensor], _: int) -> Tensor:
        return nn.functional.mse_loss(self.layers(batch[0]), batch[1])

    def configure_optimizers(self) -> Any:
        return self.optimizer(self.parameters(), lr=1e-2)


def batches() -> Any:
    random = torch.Generator().manual_seed(0)
    data = (
        torch.randn(2 * BATCHES, 4, generator=random),
        torch.randn(2 * BATCHES, 1, generator=random),
    )
    return torch.utils.data.DataLoader(torch.utils.data.TensorDataset(*data), batch_size=2)


def fit(
    folder: Path, callbacks: list[Any], module: Any = None, path: Any = None, **changes: Any
) -> Any:
    settings = {
        "max_epochs": 1, "accelerator": "cpu", "devices": 1, "logger": False,
        "enable_progress_bar": False, "enable_model_summary": False, "enable_checkpointing": False,
    }  # fmt: skip
    trainer = pl.Trainer(default_root_dir=str(folder), callbacks=callbacks, **(settings | changes))
    trainer.fit(module or Regression(), batches(), ckpt_path=path)
    return trainer


def steps_of(folder: Path) -> list[int]:
    return [record["step"] for record in read_watch_log(folder / "stability.jsonl")[1]]


def assert_equal_weights(ours: nn.Module, theirs: nn.Module) -> None:
    pairs = zip(ours.parameters(), theirs.parameters(), strict=True)
    assert all(torch.equal(a, b) for a, b in pairs)


@pytest.mark.parametrize("accumulated", [1, 3])
@pytest.mark.parametrize("clip", [None, 0.1])
def test_the_weights_are_the_same_with_and_without_the_watch(
    tmp_path: Path, accumulated: int, clip: float | None
) -> None:
    settings = {"accumulate_grad_batches": accumulated, "gradient_clip_val": clip, "max_epochs": 2}
    watched = fit(tmp_path / "a", [lightning_watch()], **settings)
    plain = fit(tmp_path / "b", [], **settings)
    assert_equal_weights(watched.model, plain.model)
    assert steps_of(tmp_path / "a") == list(range(1, plain.global_step + 1))


@pytest.mark.parametrize("accumulated", [1, 3])
def test_the_watch_sees_this_steps_gradient_and_the_accumulated_loss(
    tmp_path: Path, accumulated: int
) -> None:
    """Compared with a plain loop over the same batches."""
    callback, module = lightning_watch(WatchConfig(max_coordinates=None)), Regression()
    fit(tmp_path, [callback], module, accumulate_grad_batches=accumulated, gradient_clip_val=0.1)
    records = read_watch_log(tmp_path / "stability.jsonl")[1]
    plain = Regression()
    optimizer = plain.configure_optimizers()
    watch = AdamWatch(optimizer, plain, config=WatchConfig(max_coordinates=None))
    expected, all_batches = [], list(batches())
    for first in range(0, BATCHES, accumulated):
        optimizer.zero_grad()
        some = all_batches[first : first + accumulated]
        losses = [nn.functional.mse_loss(plain.layers(x), y) for x, y in some]
        for loss in losses:
            (loss / accumulated).backward()
        norm = nn.utils.clip_grad_norm_(plain.parameters(), 0.1)
        optimizer.step()
        watch.step(torch.stack(losses).mean(), norm)
        expected.append(record_of(watch))
    assert records == expected


def test_a_resumed_training_goes_on_watching_where_it_was(tmp_path: Path) -> None:
    through = fit(tmp_path / "a", [lightning_watch()], max_epochs=3)
    half = fit(tmp_path / "b", [lightning_watch()], max_epochs=2)
    half.save_checkpoint(tmp_path / "half.ckpt")
    resumed = fit(tmp_path / "b", [lightning_watch()], path=tmp_path / "half.ckpt", max_epochs=3)
    assert_equal_weights(resumed.model, through.model)
    assert read_watch_log(tmp_path / "a" / "stability.jsonl") == read_watch_log(
        tmp_path / "b" / "stability.jsonl"
    )


def test_a_checkpoint_without_a_watch_is_resumed_with_one(tmp_path: Path) -> None:
    fit(tmp_path, []).save_checkpoint(tmp_path / "plain.ckpt")
    fit(tmp_path, [lightning_watch()], path=tmp_path / "plain.ckpt", max_epochs=2)
    assert steps_of(tmp_path) == list(range(BATCHES + 1, 2 * BATCHES + 1))


def test_a_second_training_with_the_same_callback_begins_anew(tmp_path: Path) -> None:
    callback = lightning_watch()
    fit(tmp_path, [callback])
    fit(tmp_path, [callback])
    assert steps_of(tmp_path) == list(range(1, BATCHES + 1))


@pytest.mark.parametrize("optimizer", [torch.optim.SGD, torch.optim.Adafactor])
def test_an_optimizer_that_is_not_adams_is_refused_in_one_line(
    tmp_path: Path, optimizer: type
) -> None:
    with pytest.raises(UserError, match="Adam and AdamW, not of") as caught:
        fit(tmp_path, [lightning_watch()], Regression(optimizer))
    assert "\n" not in str(caught.value)


def test_a_module_that_optimizes_by_hand_is_told_what_to_do(tmp_path: Path) -> None:
    module = Regression()
    module.automatic_optimization = False
    with pytest.raises(UserError, match="make an AdamWatch"):
        fit(tmp_path, [lightning_watch()], module)


@pytest.mark.parametrize(("stop_on_alarm", "steps"), [(False, BATCHES), (True, 1)])
def test_an_alarm_ends_the_training_only_where_it_was_told_to(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, stop_on_alarm: bool, steps: int
) -> None:
    alarm = WatchVerdict(step=1, level=Level.ALARM, reasons=("made up",))
    monkeypatch.setattr(AdamWatch, "step", lambda *_, **__: alarm)
    trainer = fit(tmp_path, [lightning_watch(stop_on_alarm=stop_on_alarm)])
    assert trainer.global_step == steps


def test_a_missing_library_is_named(monkeypatch: pytest.MonkeyPatch) -> None:
    def without(name: str) -> Any:
        raise ImportError(name)

    monkeypatch.setattr(importlib, "import_module", without)
    with pytest.raises(UserError, match="pip install lightning"):
        lightning_callback._callback_class.__wrapped__("lightning.pytorch")
    with pytest.raises(UserError, match="must be one of"):
        lightning_watch(package="fastai")
