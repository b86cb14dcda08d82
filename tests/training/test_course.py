"""The course after rollbacks: no batch touches what is left out, whatever the batches' sizes."""

from dataclasses import replace

from hypothesis import given, settings
from hypothesis import strategies as st

from herd.stability import Rollback, RollbackRule, decide_rollback
from herd.training import BatchStage, Course, TrainState
from herd.training.course import Detour

STAGES = (
    BatchStage(from_tokens=0, batch_tokens=32, context=16),
    BatchStage(from_tokens=160, batch_tokens=64, context=16),
)


def rollback(**changes) -> Rollback:
    values = {
        "failed_step": 13,
        "resume_step": 9,
        "skip_from_step": 9,
        "skip_batches": 6,
        "learning_rate_factor": 0.9,
        "attempt": 1,
    }
    return Rollback(**{**values, **changes})


ranges = st.tuples(st.integers(0, 60), st.integers(1, 20)).map(lambda r: (r[0], r[0] + r[1]))


@settings(max_examples=100, deadline=None)
@given(st.lists(ranges, max_size=4), st.integers(0, 60), st.integers(1, 8))
def test_a_batch_never_touches_what_is_left_out(skipped, first, n_sequences) -> None:
    detours = tuple(
        Detour(rollback=rollback(), skipped_from=start, skipped_to=end) for start, end in skipped
    )
    state = Course(detours=detours).next_batch(TrainState(next_sequence=first), n_sequences)
    batch = set(range(state.next_sequence, state.next_sequence + n_sequences))
    assert not any(batch & set(range(*each)) for each in skipped)
    assert state.next_sequence >= first
    if not any(set(range(first, first + n_sequences)) & set(range(*each)) for each in skipped):
        assert state.next_sequence == first


def test_the_plain_course_changes_nothing() -> None:
    state = TrainState(step=5, tokens=80, next_sequence=5)
    course = Course()
    assert course.next_batch(state, 4) == state
    assert course.learning_rate_factor(state) == 1.0
    assert not course.abandoned(state)


def test_what_is_left_out_begins_with_the_batch_after_its_step_and_covers_the_failed_one() -> None:
    start = TrainState(step=3, tokens=96, next_sequence=6)  # 2 sequences a batch until step 5
    decision = rollback(failed_step=9, resume_step=3, skip_from_step=4, skip_batches=5)
    course = Course().with_rollback(decision, start, STAGES, 16)
    # Steps 4 and 5 take 2 sequences each, steps 6 to 9 take 4: the failed batch ends at 26.
    assert course.detours[0].skipped_from == 8
    assert course.detours[0].skipped_to == 26
    more = replace(decision, skip_batches=20)
    assert Course().with_rollback(more, start, STAGES, 16).detours[0].skipped_to == 8 + 2 * 20


def test_checkpoints_beyond_a_later_rollback_are_abandoned() -> None:
    detours = tuple(
        Detour(rollback=rollback(resume_step=step), skipped_from=0, skipped_to=1) for step in (9, 6)
    )
    course = Course(detours=detours)
    found = {
        (step, n): course.abandoned(TrainState(step=step, n_rollbacks=n))
        for step in (6, 9, 12)
        for n in (0, 1, 2)
    }
    assert [key for key, gone in found.items() if not gone] == [
        (6, 0),
        (6, 1),
        (6, 2),
        (9, 2),
        (12, 2),
    ]


def test_the_rate_is_lower_until_the_failure_is_forgotten() -> None:
    rule = RollbackRule(memory_steps=10)
    course = Course(rule=rule, detours=(Detour(rollback=rollback(), skipped_from=0, skipped_to=1),))
    factors = [course.learning_rate_factor(TrainState(step=step)) for step in (9, 23, 24)]
    assert factors == [0.9, 0.9, 1.0]


def test_the_rule_and_the_course_agree_on_the_batches_before_the_failure() -> None:
    decision = decide_rollback(
        RollbackRule(), failed_step=250, history=[], checkpoint_steps=[100, 140, 200]
    )
    start = TrainState(step=140, tokens=140 * 64, next_sequence=140 * 4)
    stages = (BatchStage(from_tokens=0, batch_tokens=64, context=16),)
    detour = Course().with_rollback(decision, start, stages, 16).detours[0]
    assert (detour.skipped_from, detour.skipped_to) == (150 * 4, 350 * 4)
