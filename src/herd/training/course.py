"""What rollbacks changed of a run's course: sequences that are left out, a lower learning rate.

In: the rollbacks of a run, oldest first. Out: for a state, the next sequence to train on and the
factor on its learning rate; for a checkpoint, whether it lies on an abandoned branch.
Never: a file or a model. The same rollbacks give the same course, whichever process asks.
"""

from collections.abc import Sequence
from dataclasses import dataclass, field, replace

from herd.stability import Rollback, RollbackRule, learning_rate_factor
from herd.training.batch_ramp import BatchStage, stage_at
from herd.training.state import TrainState


@dataclass(frozen=True, kw_only=True, slots=True)
class Detour:
    """One rollback that was carried out: sequences `skipped_from` to `skipped_to` are left out."""

    rollback: Rollback
    skipped_from: int
    skipped_to: int


@dataclass(frozen=True, kw_only=True, slots=True)
class Course:
    """The rollbacks of a run, oldest first, under one rule; without any, the plain course."""

    rule: RollbackRule = field(default_factory=RollbackRule)
    detours: tuple[Detour, ...] = ()

    @property
    def rollbacks(self) -> list[Rollback]:
        """The decisions, oldest first."""
        return [detour.rollback for detour in self.detours]

    def next_batch(self, state: TrainState, n_sequences: int) -> TrainState:
        """Return the state moved past what is left out, so that a batch from it touches none."""
        first = state.next_sequence
        for skipped_from, skipped_to in sorted(
            (d.skipped_from, d.skipped_to) for d in self.detours
        ):
            if first < skipped_to and first + n_sequences > skipped_from:
                first = skipped_to
        return replace(state, next_sequence=first, n_rollbacks=len(self.detours))

    def learning_rate_factor(self, state: TrainState) -> float:
        """Return what the schedule's rate is multiplied by in the step after `state`."""
        return learning_rate_factor(self.rule, step=state.step, history=self.rollbacks)

    def abandoned(self, state: TrainState) -> bool:
        """Return whether a later rollback went back to before this state."""
        later = self.rollbacks[state.n_rollbacks :]
        return any(state.step > rollback.resume_step for rollback in later)

    def with_rollback(
        self,
        rollback: Rollback,
        start: TrainState,
        stages: Sequence[BatchStage],
        sequence_tokens: int,
    ) -> "Course":
        """Return the course with one rollback more; `start` is its checkpoint's state.

        What is left out begins with the first batch after `skip_from_step` and holds that many
        batches of its size, or more where a ramp made those up to the failed one larger.
        """
        state, skipped_from, skipped_to = start, -1, -1
        while state.step < rollback.failed_step:
            n_sequences = stage_at(stages, state.tokens).batch_tokens // sequence_tokens
            state = self.next_batch(state, n_sequences)
            if state.step == rollback.skip_from_step:
                skipped_from = state.next_sequence
                skipped_to = skipped_from + rollback.skip_batches * n_sequences
            state = state.after_batch(n_sequences=n_sequences, sequence_tokens=sequence_tokens)
        skipped_to = max(skipped_to, state.next_sequence)
        detour = Detour(rollback=rollback, skipped_from=skipped_from, skipped_to=skipped_to)
        return replace(self, detours=(*self.detours, detour))
