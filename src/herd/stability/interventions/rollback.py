"""When to go back to an older checkpoint, how many batches to skip, and at which learning rate.

In: the step that failed, the rollbacks so far, the checkpoints that exist. Out: the next rollback
as a value, or None when the rule gives up.
Never: a checkpoint, a model or a source of data; the training loop does what is decided here.
Source: PaLM (Chowdhery et al. 2022) restarted about 100 steps earlier and skipped about 200 to 500
batches, and the same batches did no harm later; OPT-175B's logbook lowered the learning rate by
10 % and later to 2/3. The combination, as one rule with a memory, is ours.
"""

from collections.abc import Sequence
from dataclasses import dataclass

from herd.foundation import UserError


@dataclass(frozen=True, kw_only=True, slots=True)
class RollbackRule:
    """What each attempt does; the n-th failure in a row takes the n-th item of both tuples.

    `learning_rate_factors` multiply the scheduled rate and replace each other: they do not
    accumulate. A failure within `memory_steps` of an earlier one counts as the next in the row;
    the lower learning rate holds as long. When the tuples are used up the rule gives up.
    """

    steps_back: int = 100
    skip_batches: tuple[int, ...] = (200, 500)
    learning_rate_factors: tuple[float, ...] = (0.9, 0.67)
    memory_steps: int = 1000

    def __post_init__(self) -> None:
        """Check every field."""
        if self.steps_back < 0:
            raise UserError(f"rollback.steps_back must not be negative: {self.steps_back}")
        if not self.skip_batches or len(self.skip_batches) != len(self.learning_rate_factors):
            raise UserError(
                "rollback.skip_batches and rollback.learning_rate_factors must have one item an "
                f"attempt, not {self.skip_batches} and {self.learning_rate_factors}"
            )
        if any(count < 0 for count in self.skip_batches):
            raise UserError(f"rollback.skip_batches must not be negative: {self.skip_batches}")
        if not all(0 < factor <= 1 for factor in self.learning_rate_factors):
            raise UserError(
                "rollback.learning_rate_factors must lie in (0, 1], not "
                f"{self.learning_rate_factors}"
            )
        if self.memory_steps < 1:
            raise UserError(f"rollback.memory_steps must be at least 1: {self.memory_steps}")


@dataclass(frozen=True, kw_only=True, slots=True)
class Rollback:
    """One decision. Steps count optimizer steps that are done, as a checkpoint's number does.

    Load the checkpoint of `resume_step`; train as usual to `skip_from_step`; there leave out
    `skip_batches` batches of the data, which cover those just before the failure and the failed
    one; from `resume_step` on multiply the scheduled learning rate by `learning_rate_factor`.
    """

    failed_step: int
    resume_step: int
    skip_from_step: int
    skip_batches: int
    learning_rate_factor: float
    attempt: int

    def as_record(self) -> dict[str, object]:
        """Return the line for the log: what is done, in words, with before and after."""
        return {
            "step": self.failed_step,
            "intervention": "rollback",
            "what": (
                f"step {self.failed_step} failed: back to the checkpoint of step "
                f"{self.resume_step}, {self.skip_batches} batches skipped from step "
                f"{self.skip_from_step}, learning rate x {self.learning_rate_factor:g} "
                f"(attempt {self.attempt})"
            ),
            "before": {"step": self.failed_step, "learning_rate_factor": 1.0},
            "after": {
                "step": self.resume_step,
                "learning_rate_factor": self.learning_rate_factor,
                "skip_batches": self.skip_batches,
            },
            "undone": False,
        }


def decide_rollback(
    rule: RollbackRule,
    *,
    failed_step: int,
    history: Sequence[Rollback],
    checkpoint_steps: Sequence[int],
) -> Rollback | None:
    """Return what to do about a failure at `failed_step`, or None to give up.

    `history` holds the run's rollbacks, oldest first. Of `checkpoint_steps` the newest that lies
    `steps_back` before the failure is taken; where none is that old, the newest before the failure.
    None when there is no checkpoint before the failure, or when every attempt has been made.
    """
    attempt = 1 + failures_in_a_row(rule, failed_step=failed_step, history=history)
    usable = sorted(step for step in checkpoint_steps if 0 <= step < failed_step)
    if attempt > len(rule.skip_batches) or not usable:
        return None
    wanted = failed_step - rule.steps_back
    old_enough = [step for step in usable if step <= wanted]
    resume_step = old_enough[-1] if old_enough else usable[-1]
    skip_from_step = max(resume_step, min(wanted, failed_step - 1))
    return Rollback(
        failed_step=failed_step,
        resume_step=resume_step,
        skip_from_step=skip_from_step,
        skip_batches=max(rule.skip_batches[attempt - 1], failed_step - skip_from_step),
        learning_rate_factor=rule.learning_rate_factors[attempt - 1],
        attempt=attempt,
    )


def failures_in_a_row(rule: RollbackRule, *, failed_step: int, history: Sequence[Rollback]) -> int:
    """Return how many failures, each within the rule's memory of the next, led to this one."""
    count, later = 0, failed_step
    for entry in reversed(history):
        if abs(later - entry.failed_step) > rule.memory_steps:
            break
        count, later = count + 1, entry.failed_step
    return count


def learning_rate_factor(rule: RollbackRule, *, step: int, history: Sequence[Rollback]) -> float:
    """Return by what the scheduled learning rate is multiplied after `step` optimizer steps.

    The newest rollback's factor, until `memory_steps` past the step that failed; then 1 again.
    """
    if not history or step > history[-1].failed_step + rule.memory_steps:
        return 1.0
    return history[-1].learning_rate_factor
