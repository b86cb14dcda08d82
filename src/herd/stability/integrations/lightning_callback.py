"""The watch as a callback of Lightning's `Trainer`, with `lightning.pytorch` or `pytorch_lightning`.

In: a module in automatic optimization with torch's Adam or AdamW. Out: `stability.jsonl` in the
trainer's log directory, a message when a level changes, the watch's state in Lightning's checkpoints.
The loss is the mean over accumulated batches, the gradient norm that before Lightning's clipping.
"""

import importlib
from functools import cache
from pathlib import Path
from typing import Any

import torch
from torch import Tensor

from herd.foundation import UserError
from herd.stability.integrations.gradient_norm import gradient_norm
from herd.stability.integrations.watched_run import WatchedRun
from herd.stability.verdict import Level
from herd.stability.watch import AdamWatch
from herd.stability.watch_config import WatchConfig

PACKAGES = ("lightning.pytorch", "pytorch_lightning")


def lightning_watch(
    config: WatchConfig | None = None,
    *,
    stop_on_alarm: bool = False,
    package: str = "lightning.pytorch",
) -> Any:
    """Return a callback for `Trainer(callbacks=[...])`; `.watch` is its AdamWatch while it trains.

    With `stop_on_alarm` the training ends after a step at which the run is in ALARM. `package` is where
    the Trainer comes from. Raises UserError when that is missing, and at the training's begin when the
    optimizer is not Adam's or the module optimizes by hand.
    """
    return _callback_class(package)(config, stop_on_alarm)


@cache
def _callback_class(package: str) -> type:
    if package not in PACKAGES:
        raise UserError(f"package must be one of {', '.join(PACKAGES)}, not {package}")
    try:
        callback = importlib.import_module(package).Callback
    except ImportError:
        name = package.partition(".")[0].replace("_", "-")
        raise UserError(f"{package} is not installed: pip install {name}") from None
    return type("AdamWatchCallback", (FitWatch, callback), {})


class FitWatch:
    """What the callback does at each of Lightning's hooks; their names are Lightning's."""

    state_key = "AdamWatch"

    def __init__(self, config: WatchConfig | None = None, stop_on_alarm: bool = False) -> None:
        self.config = config
        self.stop_on_alarm = stop_on_alarm
        self._run: WatchedRun | None = None
        self._saved: dict[str, Any] | None = None
        self._losses: list[Tensor] = []
        self._grad_norm: Tensor | None = None
        self._steps_seen = 0

    @property
    def watch(self) -> AdamWatch | None:
        """The watch of the running training; None before it begins."""
        return None if self._run is None else self._run.watch

    def on_train_start(self, trainer: Any, pl_module: Any) -> None:
        """Attach to the optimizer, whose state Lightning has restored by now."""
        self._close()
        if not pl_module.automatic_optimization:
            raise UserError(
                "this module optimizes by hand (automatic_optimization = False); make an AdamWatch in "
                "it and call watch.step() after each optimizer.step()"
            )
        optimizer = trainer.optimizers[0]
        watch = AdamWatch(optimizer, pl_module, config=self.config)
        step, folder = trainer.global_step, trainer.log_dir or trainer.default_root_dir
        own = Path(folder) if trainer.is_global_zero else None
        self._run = WatchedRun(watch, own, self.state_dict()["watch"], step)
        self._saved, self._steps_seen = None, step

    def on_before_optimizer_step(self, trainer: Any, pl_module: Any, optimizer: Any) -> None:
        """Measure the gradient before Lightning clips it."""
        self._grad_norm = gradient_norm(pl_module.parameters())

    def on_train_batch_end(
        self, trainer: Any, pl_module: Any, outputs: Any, batch: Any, batch_idx: int
    ) -> None:
        """Keep the batch's loss; if the optimizer stepped, judge the step."""
        loss = outputs.get("loss") if isinstance(outputs, dict) else outputs
        if isinstance(loss, Tensor):  # Lightning has divided it by the batches to accumulate
            self._losses.append(loss.detach() * trainer.accumulate_grad_batches)
        if trainer.global_step == self._steps_seen or self._run is None:
            return
        self._steps_seen = trainer.global_step
        loss = torch.stack(self._losses).mean() if self._losses else None
        self._losses.clear()
        verdict = self._run.step(loss, self._grad_norm)
        if self.stop_on_alarm and verdict.level is Level.ALARM:
            trainer.should_stop = True

    def on_train_end(self, trainer: Any, pl_module: Any) -> None:
        """Let go of the optimizer."""
        self._close()

    def on_exception(self, trainer: Any, pl_module: Any, exception: BaseException) -> None:
        """Let go of the optimizer."""
        self._close()

    def state_dict(self) -> dict[str, Any]:
        """Return what Lightning's checkpoint keeps."""
        if self._saved is None and self._run is not None:
            return {"watch": self._run.state_dict()}
        return {"watch": self._saved}

    def load_state_dict(self, state_dict: dict[str, Any]) -> None:
        """Keep what a checkpoint held until there is an optimizer to watch."""
        self._saved = state_dict["watch"]

    def _close(self) -> None:
        if self._run is not None:
            self._run.close()
        self._losses.clear()
