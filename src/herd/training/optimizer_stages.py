"""An optimizer with interventions in a run: their state in its checkpoints, their steps in its count.

In: a `StabilizedAdamW`. Out: a part of the checkpoint, and a hook.
"""

from typing import Any

from herd.foundation import UserError
from herd.stability import StabilizedAdamW
from herd.training.hooks import Hook, Verdict
from herd.training.metrics import StepMetrics
from herd.training.state import TrainState


class StagesState:
    """The state of an optimizer's interventions, as a part of the checkpoint."""

    def __init__(self, optimizer: StabilizedAdamW) -> None:
        self._optimizer = optimizer

    def state_dict(self) -> dict[str, Any]:
        """Return the count of calls and the state of every stage."""
        stages = {stage.name: stage.state_dict() for stage in self._optimizer.interventions}
        return {"n_calls": self._optimizer.n_calls, "stages": stages}

    def load_state_dict(self, state: dict[str, Any]) -> None:
        """Put back what `state_dict` returned. Raises UserError when it is of other stages."""
        names = [stage.name for stage in self._optimizer.interventions]
        if sorted(state["stages"]) != sorted(names):
            raise UserError(
                f"saved with the interventions {sorted(state['stages'])}, now {sorted(names)}"
            )
        self._optimizer.n_calls = state["n_calls"]
        for stage in self._optimizer.interventions:
            stage.load_state_dict(state["stages"][stage.name])


def count_calls(optimizer: StabilizedAdamW) -> Hook:
    """Return a hook that keeps the optimizer's count of calls at the run's step, skipped or not."""

    def count(state: TrainState, metrics: StepMetrics) -> Verdict:
        optimizer.n_calls = state.step
        return Verdict()

    return count
