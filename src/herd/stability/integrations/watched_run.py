"""A watch inside somebody else's trainer: steps, its log, and a word when a level changes.

In: a watch, where to log, and the state of a checkpoint. Out: `stability.jsonl`, messages through
Python's `logging`, the state for the next checkpoint. Never: an end of the training.
"""

import logging
from pathlib import Path
from typing import Any

from torch import Tensor

from herd.foundation import truncate_metrics
from herd.stability.verdict import Level, WatchVerdict
from herd.stability.watch import AdamWatch
from herd.stability.watch_log import LOG_NAME, WatchLog

LOGGER = logging.getLogger("herd.stability")


class WatchedRun:
    """One watch and its log; `folder` is None on ranks that write none."""

    def __init__(
        self, watch: AdamWatch, folder: Path | None, state: dict[str, Any] | None, first_step: int
    ) -> None:
        """Begin after `first_step` steps, with what a checkpoint held of the watch, if it did.

        A training that begins at 0 begins a new log. Raises UserError if the state is foreign.
        """
        self.watch = watch
        if first_step:
            known = state or watch.state_dict()
            seen = min(known["last_watched_step"] if state else first_step, first_step)
            watch.load_state_dict({**known, "step": first_step, "last_watched_step": seen})
        self._log = None if folder is None else _open_log(folder, watch, first_step)
        self._said = _gist(watch.verdict)

    def step(self, loss: Tensor | None, grad_norm: Tensor | None) -> WatchVerdict:
        """Judge the step just made, log it, and say so when the verdict is another one."""
        verdict = self.watch.step(loss=loss, grad_norm=grad_norm)
        if self._log is not None:
            self._log.write()
            self._announce(verdict)
        return verdict

    def state_dict(self) -> dict[str, Any]:
        """Return the watch's state for a checkpoint."""
        state = self.watch.state_dict()
        if self._log is not None:
            self._log.write()  # the state may have finished a verdict that was late
        return state

    def close(self) -> None:
        """Let go of the optimizer and the log."""
        self.state_dict()
        self.watch.detach()
        if self._log is not None:
            self._log.close()

    def _announce(self, verdict: WatchVerdict) -> None:
        if _gist(verdict) == self._said:
            return
        self._said = _gist(verdict)
        is_bad = verdict.level in (Level.WATCH, Level.ALARM)
        why = "; ".join(verdict.reasons) or "every layer is well"
        text = "stability at step %d: %s: %s"
        say = LOGGER.warning if is_bad else LOGGER.info
        say(text, verdict.step, verdict.level.value, why)


def _open_log(folder: Path, watch: AdamWatch, first_step: int) -> WatchLog:
    folder.mkdir(parents=True, exist_ok=True)
    path = folder / LOG_NAME
    if first_step:
        truncate_metrics(path, after_step=first_step)
    else:
        path.unlink(missing_ok=True)
    return WatchLog(path, watch)


def _gist(verdict: WatchVerdict) -> tuple[object, ...]:
    return verdict.level, verdict.layers, verdict.mechanisms
