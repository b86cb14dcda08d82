"""Rollback and skip batches: back to an older checkpoint, past the data of the failure, and on.

In: a failed step, the run's checkpoints, its logs. Out: one file, `rollbacks.json`, whose replacement
is the rollback; checkpoints and logs that agree with it; the run's new course.
Whatever follows the file can be done again, so a process killed anywhere resumes to the same run.
What the logs held of the abandoned steps moves to `abandoned/N/`.
Never: when to roll back, or how far (`herd.stability` decides).
Source: PaLM (Chowdhery et al. 2022), section 5.1.
"""

import json
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from herd.foundation import from_dict, read_json, read_metrics, to_dict, write_json, write_text
from herd.stability import RollbackRule, decide_rollback
from herd.training.batch_ramp import BatchStage, longest_context
from herd.training.checkpoint import CheckpointStore
from herd.training.course import Course, Detour
from herd.training.loop import NonFiniteLossError, Outcome

FILE = "rollbacks.json"
NUMBER = "rollback"  # the field of a log's line that says which rollback it is about


@dataclass(frozen=True, kw_only=True, slots=True)
class Rollbacks:
    """The rollbacks of one run. `logs` are the files of records that follow its steps."""

    rule: RollbackRule
    stages: tuple[BatchStage, ...]
    store: CheckpointStore
    logs: tuple[Path, ...]

    def course(self) -> Course:
        """Return the run's course as the rollbacks so far have made it."""
        if not self._path.exists():
            return Course(rule=self.rule)
        saved = read_json(self._path)
        where = str(self._path)
        detours = tuple(from_dict(Detour, item, where=where) for item in saved["rollbacks"])
        return Course(rule=self.rule, detours=detours)

    def possible(self, failed_step: int) -> bool:
        """Return whether there is an attempt left and a checkpoint to go back to."""
        return self._decide(failed_step) is not None

    def commit(self, failed_step: int) -> str:
        """Go back from a failed step; return what was done, in words, or nothing if it cannot be.

        The caller then starts again from `settle` and the store's latest checkpoint.
        """
        found = self._decide(failed_step)
        if found is None:
            return ""
        write_json(self._path, {"rollbacks": to_dict(found.detours)})
        return str(found.rollbacks[-1].as_record()["what"])

    def settle(self) -> Course:
        """Make checkpoints and logs agree with the rollbacks so far; return the course."""
        course = self.course()
        for path in self.store.paths():
            if course.detours and course.abandoned(self.store.state_of(path)):
                self.store.remove(path)
        for number, detour in enumerate(course.detours, start=1):
            for log in self.logs:
                _turn_back(log, number, detour)
        return course

    @property
    def _path(self) -> Path:
        return self.store.directory / FILE

    def _decide(self, failed_step: int) -> Course | None:
        course = self.course()
        states = [self.store.state_of(path) for path in self.store.paths()]
        by_step = {state.step: state for state in states if state.step < failed_step}
        rollback = decide_rollback(
            self.rule,
            failed_step=failed_step,
            history=course.rollbacks,
            checkpoint_steps=_old_enough(list(by_step), failed_step - self.rule.steps_back),
        )
        if rollback is None:
            return None
        start = by_step[rollback.resume_step]
        sequence_tokens = longest_context(self.stages)
        return course.with_rollback(rollback, start, self.stages, sequence_tokens)


def cut_log(path: Path, *, after_step: int) -> None:
    """Drop the records beyond a step, which a resumed run writes again; lines of rollbacks stay."""
    if path.exists():
        _write_records(path, [r for r in read_metrics(path) if _stays(r, after_step)])


def run_with_rollbacks(
    attempt: Callable[[], Outcome], rollbacks: Rollbacks, say: Callable[[str], None]
) -> Outcome:
    """Attempt a run, from `settle` on, until it does not fail or cannot be rolled back.

    Raises NonFiniteLossError when no rollback is left.
    """
    while True:
        try:
            outcome = attempt()
        except NonFiniteLossError as error:
            done = rollbacks.commit(error.step)
            if not done:
                raise
        else:
            done = rollbacks.commit(outcome.state.step) if outcome.failed else ""
            if not done:
                return outcome
        say(done)


def _old_enough(steps: Sequence[int], wanted: int) -> Sequence[int]:
    """Return the steps up to `wanted`; where there is none, the oldest, which is nearest to it."""
    return [step for step in steps if step <= wanted] or sorted(steps)[:1]


def _turn_back(log: Path, number: int, detour: Detour) -> None:
    """Move what a log holds of the abandoned steps, and write the line of the rollback instead."""
    records = read_metrics(log)
    if not records or any(record.get(NUMBER) == number for record in records):
        return
    resume_step = detour.rollback.resume_step
    abandoned = [record for record in records if not _stays(record, resume_step)]
    _write_records(log.parent / "abandoned" / str(number) / log.name, abandoned)
    line = {
        **detour.rollback.as_record(),
        NUMBER: number,
        "skipped_sequences": [detour.skipped_from, detour.skipped_to],
    }
    kept = [record for record in records if _stays(record, resume_step)]
    _write_records(log, [*kept, line])


def _stays(record: dict[str, Any], after_step: int) -> bool:
    return NUMBER in record or record.get("step", 0) <= after_step


def _write_records(path: Path, records: Sequence[dict[str, Any]]) -> None:
    write_text(path, "".join(json.dumps(record) + "\n" for record in records))
