"""When a run is to be rolled back: a loss spike that follows an alarm of the watch.

In: the watch, each step's loss. Out: a verdict that gives the run up, where it can be rolled back.
Never: a rollback for an alarm alone, or for a spike that no alarm announced (a bad batch passes).
A loss that is not finite needs no trigger: it ends the loop anyway.
"""

from collections.abc import Callable
from typing import Any

from herd.stability import SPIKE_Z, AdamWatch, Level, RollingScore
from herd.training.hooks import Verdict
from herd.training.metrics import StepMetrics
from herd.training.state import TrainState


class SpikeTrigger:
    """A hook to come after the watch's, and a part of the checkpoint.

    `possible` says whether a failure at a step can be rolled back; an alarm counts for
    `memory_steps`.
    """

    def __init__(
        self,
        watch: AdamWatch,
        *,
        memory_steps: int,
        possible: Callable[[int], bool],
        say: Callable[[str], None],
    ) -> None:
        self._watch = watch
        self._memory_steps = memory_steps
        self._possible = possible
        self._say = say
        self._score = RollingScore()
        self._alarm_step: int | None = None

    def __call__(self, state: TrainState, metrics: StepMetrics) -> Verdict:
        """Give the run up if this step's loss spikes after an alarm."""
        z = self._score.score(metrics.loss_nats)
        if self._watch.verdict.level is Level.ALARM:
            self._alarm_step = state.step
        if z is None or z <= SPIKE_Z or not self._is_alarmed(state.step):
            return Verdict()
        if not self._possible(state.step):
            self._say(
                f"step {state.step}: loss spike ({z:.1f} deviations) after an alarm; no rollback "
                "is left or no checkpoint is old enough, so training goes on"
            )
            return Verdict()
        return Verdict(record={"loss_z": z}, failed=True)

    def _is_alarmed(self, step: int) -> bool:
        return self._alarm_step is not None and step - self._alarm_step <= self._memory_steps

    def state_dict(self) -> dict[str, Any]:
        """Return the window of losses and the last alarm."""
        return {"score": self._score.state_dict(), "alarm_step": self._alarm_step}

    def load_state_dict(self, state: dict[str, Any]) -> None:
        """Put back what `state_dict` returned."""
        self._score.load_state_dict(state["score"])
        self._alarm_step = state["alarm_step"]
