"""The watch as a callback of Hugging Face's `Trainer`.

In: a Trainer with torch's Adam or AdamW. Out: `stability.jsonl` in its output directory, a message
when a level changes, the watch's state in `trainer_state.json`.
The loss is taken from the model's output by a forward hook, as the Trainer tells its callbacks none.
The gradient norm is that after the Trainer's clipping, for the same reason.
"""

from collections.abc import Mapping
from functools import cache
from pathlib import Path
from typing import Any

import torch
from torch import Tensor

from herd.foundation import UserError, from_dict, to_dict
from herd.stability.integrations.gradient_norm import gradient_norm
from herd.stability.integrations.watched_run import WatchedRun
from herd.stability.verdict import Level
from herd.stability.watch import AdamWatch
from herd.stability.watch_config import WatchConfig

NAME = "AdamWatchCallback"  # under which the Trainer saves the state


def transformers_watch(config: WatchConfig | None = None, *, stop_on_alarm: bool = False) -> Any:
    """Return a callback for `Trainer(callbacks=[...])`; `.watch` is its AdamWatch while it trains.

    With `stop_on_alarm` the training ends after a step at which the run is in ALARM. Raises UserError
    when transformers is missing, and at the training's begin when the optimizer is not Adam's.
    """
    return _callback_class()(config, stop_on_alarm)


@cache
def _callback_class() -> type:
    try:
        from transformers import TrainerCallback
        from transformers.trainer_callback import ExportableState
    except ImportError:
        raise UserError("transformers is not installed: pip install transformers") from None
    return type(NAME, (TrainerWatch, TrainerCallback, ExportableState), {})


class TrainerWatch:
    """What the callback does at each of the Trainer's events; their names are the Trainer's."""

    def __init__(
        self, config: WatchConfig | Mapping[str, Any] | None = None, stop_on_alarm: bool = False
    ) -> None:
        if isinstance(config, Mapping):  # rebuilt from a checkpoint
            config = from_dict(WatchConfig, config)
        self.config = config
        self.stop_on_alarm = stop_on_alarm
        self._run: WatchedRun | None = None
        self._hook: Any = None
        self._losses: list[Tensor] = []
        self._is_summed, self._n_shares = False, 1
        self._grad_norm: Tensor | None = None

    @property
    def watch(self) -> AdamWatch | None:
        """The watch of the running training; None before it begins."""
        return None if self._run is None else self._run.watch

    def state(self) -> dict[str, Any]:
        """Return what `trainer_state.json` keeps; its `args` rebuild this callback."""
        state = None if self._run is None else self._run.state_dict()
        settings = {"config": to_dict(self.config), "stop_on_alarm": self.stop_on_alarm}
        return {"args": settings, "attributes": {"saved": state}}

    def on_train_begin(
        self, args: Any, state: Any, control: Any, *, model: Any, optimizer: Any, **_: Any
    ) -> None:
        """Attach to the optimizer under what accelerate wraps around it, as new or as resumed."""
        self._close()
        saved = _last(state.stateful_callbacks.get(NAME)).get("attributes", {}).get("saved")
        watch = AdamWatch(unwrapped(optimizer), model, config=self.config)
        folder = Path(args.output_dir) if state.is_world_process_zero else None
        self._run = WatchedRun(watch, folder, saved, state.global_step)
        # A resumed Trainer refuses to save a callback that its checkpoint did not know.
        state.stateful_callbacks.setdefault(NAME, self.state())
        self._n_shares = data_ranks(args, model)
        self._hook = model.register_forward_hook(self._keep_loss, with_kwargs=True)

    def on_pre_optimizer_step(
        self, args: Any, state: Any, control: Any, *, model: Any, **_: Any
    ) -> None:
        """Measure the gradient that the optimizer is about to use."""
        self._grad_norm = gradient_norm(model.parameters())

    def on_optimizer_step(self, args: Any, state: Any, control: Any, **_: Any) -> None:
        """Judge the step that was just made."""
        if self._run is None:
            return
        verdict = self._run.step(self._loss(), self._grad_norm)
        self._losses.clear()
        if self.stop_on_alarm and verdict.level is Level.ALARM:
            control.should_training_stop = True

    def on_train_end(self, args: Any, state: Any, control: Any, **_: Any) -> None:
        """Let go of the optimizer and the model."""
        self._close()

    def _close(self) -> None:
        if self._run is not None:
            self._run.close()
            self._hook.remove()
        self._losses.clear()

    def _keep_loss(
        self, module: torch.nn.Module, args: Any, kwargs: dict[str, Any], output: Any
    ) -> None:
        loss = output.get("loss") if isinstance(output, Mapping) else None
        if module.training and loss is not None:
            self._losses.append(loss.detach().mean())
            self._is_summed = kwargs.get("num_items_in_batch") is not None

    def _loss(self) -> Tensor | None:
        """Return this rank's loss; over accumulated batches a sum if each was divided by all tokens.

        All tokens are those of all ranks, so it is scaled such that the mean over ranks is the loss.
        """
        if not self._losses:
            return None
        total = torch.stack([loss.to(self._losses[0].device) for loss in self._losses]).sum()
        return total * self._n_shares if self._is_summed else total / len(self._losses)


def unwrapped(optimizer: Any) -> Any:
    """Return the innermost optimizer, the one that owns the moments."""
    while hasattr(optimizer, "optimizer"):
        optimizer = optimizer.optimizer
    return optimizer


def data_ranks(args: Any, model: Any) -> int:
    """Return over how many ranks the Trainer counts the tokens that it divides a loss by."""
    if not args.average_tokens_across_devices or args.n_gpu > 1:
        return 1
    return args.world_size // (getattr(model, "tp_size", None) or 1) or 1


def _last(entry: Any) -> dict[str, Any]:
    """Return the newest of what the Trainer saved under one name."""
    found = entry[-1] if isinstance(entry, list) and entry else entry
    return found if isinstance(found, dict) else {}
