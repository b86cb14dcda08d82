"""Train chosen tensors at a quarter of the learning rate for as long as v remembers.

In: names of tensors, when an alarm rings. Out: a factor of 0.25 on their learning rate for
1/(1 - beta2) steps, then 1 again.
Never: a tensor that nobody named.
Source: ours; a smaller learning rate weakens the feedback of a large update on later gradients.
"""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import Any

from herd.foundation import UserError
from herd.stability.interventions.episode import named, record
from herd.stability.interventions.stage import Stage, StepRun
from herd.stability.interventions.tensor_step import TensorStep
from herd.stability.theory import memory_steps


@dataclass(frozen=True, kw_only=True, slots=True)
class LearningRateDampConfig:
    """`duration_steps` None is 1/(1 - beta2) of each tensor's group."""

    factor: float = 0.25
    duration_steps: int | None = None

    def __post_init__(self) -> None:
        """Check every field."""
        if not 0 < self.factor <= 1:
            raise UserError(f"learning_rate_damp.factor must lie in (0, 1], not {self.factor}")
        if self.duration_steps is not None and self.duration_steps < 1:
            raise UserError(
                f"learning_rate_damp.duration_steps must be at least 1: {self.duration_steps}"
            )


class LearningRateDamp(Stage):
    """Which tensors are damped, and until which step. Begins at the next step after `damp`."""

    name = "learning-rate damp"

    def __init__(
        self, config: LearningRateDampConfig | None = None, *, enabled: bool = True
    ) -> None:
        super().__init__(enabled=enabled)
        self.config = config or LearningRateDampConfig()
        self.asked: set[str] = set()
        self.released: set[str] = set()
        self.last_steps: dict[str, int] = {}

    def damp(self, names: Iterable[str]) -> None:
        """Damp these tensors from the next step on; those that are damped begin anew."""
        self.asked |= set(names)
        self.released -= self.asked

    def release(self, names: Iterable[str]) -> None:
        """End the damping of these tensors at once."""
        self.released |= set(names)
        self.asked -= self.released

    def scale(self, tensors: Sequence[TensorStep], run: StepRun) -> None:
        """Damp, and forget those whose time is over."""
        self._begin([tensor for tensor in tensors if tensor.name in self.asked], run)
        over = [
            name
            for name, last_step in self.last_steps.items()
            if run.step > last_step or name in self.released
        ]
        self._end(over, run)
        for tensor in tensors:
            if tensor.name in self.last_steps and self.applies_to(tensor.name):
                tensor.rate_factor = self.config.factor * tensor.rate_factor
        self.asked, self.released = set(), set()

    def _begin(self, tensors: Sequence[TensorStep], run: StepRun) -> None:
        fresh = [tensor.name for tensor in tensors if tensor.name not in self.last_steps]
        for tensor in tensors:
            steps = self.config.duration_steps
            if steps is None:
                steps = round(memory_steps(tensor.betas[1]))
            self.last_steps[tensor.name] = run.step + steps - 1
        if fresh and run.log is not None:
            what = f"learning rate x {self.config.factor:g} for {named(fresh)}"
            last_step = max(self.last_steps[name] for name in fresh)
            after = {"factor": self.config.factor, "last_step": last_step}
            run.log(record(run.step, self.name, what, before={"factor": 1.0}, after=after))

    def _end(self, names: list[str], run: StepRun) -> None:
        for name in names:
            del self.last_steps[name]
        if names and run.log is not None:
            what = f"learning rate whole again for {named(names)}"
            before = {"factor": self.config.factor}
            run.log(
                record(run.step, self.name, what, before=before, after={"factor": 1.0}, undone=True)
            )

    def own_state(self) -> dict[str, Any]:
        """Return which tensors are damped until when, and what is asked for."""
        return {
            "asked": sorted(self.asked),
            "released": sorted(self.released),
            "last_steps": dict(self.last_steps),
        }

    def load_own_state(self, state: dict[str, Any]) -> None:
        """Take over what `own_state` returned."""
        self.asked, self.released = set(state["asked"]), set(state["released"])
        self.last_steps = dict(state["last_steps"])
