"""The rule of going back: which checkpoint, what is skipped, how the second failure differs."""

import json

import pytest
from hypothesis import given
from hypothesis import strategies as st

from herd.foundation import UserError, from_dict, to_dict
from herd.stability.interventions.rollback import (
    Rollback,
    RollbackRule,
    decide_rollback,
    learning_rate_factor,
)


def decide(failed_step, history=(), checkpoint_steps=range(0, 10_000, 50)):
    return decide_rollback(
        RollbackRule(),
        failed_step=failed_step,
        history=history,
        checkpoint_steps=list(checkpoint_steps),
    )


def test_the_first_failure_goes_100_steps_back_and_skips_200_batches():
    rollback = decide(1000)
    assert (rollback.resume_step, rollback.skip_batches, rollback.learning_rate_factor) == (
        900,
        200,
        0.9,
    )


def test_the_second_failure_skips_more_at_a_lower_rate_and_the_third_gives_up():
    first = decide(1000)
    second = decide(1100, [first])
    assert (second.skip_batches, second.learning_rate_factor, second.attempt) == (500, 0.67, 2)
    assert decide(1150, [first, second]) is None


def test_a_failure_before_the_first_place_is_reached_again_is_a_second_one():
    assert decide(950, [decide(1000)]).attempt == 2


def test_a_failure_long_after_is_a_first_one_again():
    first = decide(1000)
    assert decide(2001, [first]).attempt == 1
    assert decide(2000, [first]).attempt == 2


def test_an_older_checkpoint_replays_good_batches_and_skips_around_the_failure():
    rollback = decide(1000, checkpoint_steps=[300])
    assert (rollback.resume_step, rollback.skip_from_step) == (300, 900)


def test_where_no_checkpoint_is_old_enough_the_newest_before_the_failure_serves():
    rollback = decide(1000, checkpoint_steps=[950, 980, 1000])
    assert (rollback.resume_step, rollback.skip_from_step) == (980, 980)


def test_without_a_checkpoint_before_the_failure_it_gives_up():
    assert decide(1000, checkpoint_steps=[]) is None
    assert decide(1000, checkpoint_steps=[1000, 1100]) is None


@given(
    failed_step=st.integers(1, 5000),
    steps_back=st.integers(0, 2000),
    skip=st.integers(0, 600),
    checkpoint_steps=st.lists(st.integers(0, 6000), min_size=1),
)
def test_the_failed_batch_is_always_skipped(failed_step, steps_back, skip, checkpoint_steps):
    rule = RollbackRule(steps_back=steps_back, skip_batches=(skip,), learning_rate_factors=(0.9,))
    rollback = decide_rollback(
        rule, failed_step=failed_step, history=(), checkpoint_steps=checkpoint_steps
    )
    if rollback is None:
        assert min(checkpoint_steps) >= failed_step
        return
    assert rollback.resume_step <= rollback.skip_from_step < failed_step
    assert rollback.skip_from_step + rollback.skip_batches >= failed_step


def test_the_lower_rate_ends_with_the_rules_memory():
    history = [decide(1000)]
    rule = RollbackRule()
    assert learning_rate_factor(rule, step=0, history=()) == 1.0
    assert learning_rate_factor(rule, step=900, history=history) == 0.9
    assert learning_rate_factor(rule, step=2000, history=history) == 0.9
    assert learning_rate_factor(rule, step=2001, history=history) == 1.0


def test_rule_and_decision_survive_json():
    rule = RollbackRule(steps_back=7)
    assert from_dict(RollbackRule, json.loads(json.dumps(to_dict(rule)))) == rule
    rollback = decide(1000)
    assert from_dict(Rollback, json.loads(json.dumps(to_dict(rollback)))) == rollback
    assert json.loads(json.dumps(rollback.as_record()))["intervention"] == "rollback"


@pytest.mark.parametrize(
    "fields",
    [
        {"steps_back": -1},
        {"skip_batches": ()},
        {"skip_batches": (1,)},
        {"skip_batches": (1, -1)},
        {"learning_rate_factors": (0.9, 0.0)},
        {"learning_rate_factors": (0.9, float("nan"))},
        {"memory_steps": 0},
    ],
)
def test_an_impossible_rule_is_refused(fields):
    with pytest.raises(UserError, match="rollback"):
        RollbackRule(**fields)
