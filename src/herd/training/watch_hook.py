"""The watch in the loop: a verdict after every step, in the step's record and in the run's log.

In: `AdamWatch` and its log, each step's loss and gradient norm. Out: the level, and the reasons where
the verdict changes; lines in `stability.jsonl`; the watch's state for checkpoints.
Never: a changed number, or an end of the run.
"""

from typing import Any

from herd.stability import AdamWatch, WatchLog, WatchVerdict
from herd.training.hooks import Verdict
from herd.training.metrics import StepMetrics
from herd.training.state import TrainState


class WatchHook:
    """A hook, and a part of the checkpoint."""

    def __init__(self, watch: AdamWatch, log: WatchLog) -> None:
        self.watch = watch
        self.log = log

    def __call__(self, state: TrainState, metrics: StepMetrics) -> Verdict:
        """Judge the step that was just made, or that was not made since it was not finite."""
        before = _gist(self.watch.verdict)
        verdict = self.watch.step(loss=metrics.loss_nats, grad_norm=metrics.grad_norm)
        self.log.write()
        record: dict[str, Any] = {"stability": verdict.level.value}
        if _gist(verdict) != before:
            record["stability_reasons"] = list(verdict.reasons)
        return Verdict(record=record)

    def begin_at(self, step: int) -> None:
        """Count on from a step that another process made unwatched."""
        counts = {"step": step, "last_watched_step": step}
        self.watch.load_state_dict({**self.watch.state_dict(), **counts})

    def state_dict(self) -> dict[str, Any]:
        """Return the watch's state. A verdict that was late is in it, so it must be in the log."""
        state = self.watch.state_dict()
        self.log.write()
        return state

    def load_state_dict(self, state: dict[str, Any]) -> None:
        """Put back what `state_dict` returned. Raises UserError when it is another model's."""
        self.watch.load_state_dict(state)


def _gist(verdict: WatchVerdict) -> tuple[object, ...]:
    """Return what makes a verdict another one; the numbers in its reasons change every step."""
    return verdict.level, verdict.layers, verdict.mechanisms
