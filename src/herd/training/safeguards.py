"""What stands beside the loop's steps to keep a run well: a watch, a rule to skip, a course.

In: a hook that watches, a rule that looks at loss and gradient norm before a step is taken, the
course that rollbacks have made. Out: one value that the loop asks. Without any of them the loop
does what it would do alone, to the bit.
"""

from dataclasses import dataclass, field
from typing import Protocol

from herd.training.course import Course
from herd.training.hooks import Hook, Verdict
from herd.training.metrics import StepMetrics
from herd.training.state import TrainState


class SkipRule(Protocol):
    """Decides, before the optimizer acts, whether a step is left out."""

    def reason(self, step: int, loss_nats: float, grad_norm: float) -> str:
        """Return why step number `step` is to be skipped, empty if it is not; asked once a step."""


def no_watch(state: TrainState, metrics: StepMetrics) -> Verdict:
    """Watch nothing."""
    return Verdict()


@dataclass(frozen=True, kw_only=True, slots=True)
class Safeguards:
    """`watch` is called after every step, before all hooks, and after one that was not finite."""

    watch: Hook = no_watch
    skip: SkipRule | None = None
    course: Course = field(default_factory=Course)
