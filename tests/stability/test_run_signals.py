"""What concerns the whole run: each cause has its own mechanism."""

import math

import pytest

from herd.stability.run_signals import RunScores, RunSignals
from herd.stability.step_numbers import StepNumbers
from herd.stability.verdict import Level, Mechanism


def judge(numbers: StepNumbers, *, explained: bool = False) -> RunSignals:
    scores = RunScores()
    for i in range(100):
        scores.judge(
            StepNumbers(loss_nats=2 + 0.01 * (i % 3), grad_norm=1.0 + 0.01 * (i % 2)),
            explained=False,
        )
    return scores.judge(numbers, explained=explained)


@pytest.mark.parametrize(
    ("numbers", "level", "mechanisms"),
    [
        ({"loss_nats": 2.01}, Level.OK, ()),
        ({"loss_nats": 3.0}, Level.WATCH, (Mechanism.BAD_BATCH,)),
        ({"grad_norm": 9.0}, Level.WATCH, (Mechanism.BAD_BATCH,)),
        ({"loss_nats": math.nan}, Level.ALARM, (Mechanism.NOT_FINITE,)),
        ({"attention_logit_max": 50.0}, Level.OK, ()),
        ({"attention_logit_max": 150.0}, Level.WATCH, (Mechanism.ATTENTION_LOGITS,)),
        ({"attention_logit_max": 1500.0}, Level.ALARM, (Mechanism.ATTENTION_LOGITS,)),
        ({"log_z": -40.0}, Level.WATCH, (Mechanism.OUTPUT_LOGITS,)),
        ({"sharpness_ratio": 0.9}, Level.OK, ()),
        ({"sharpness_ratio": 1.2}, Level.WATCH, (Mechanism.OSCILLATION,)),
    ],
)
def test_each_number_has_its_own_mechanism(
    numbers: dict[str, float], level: Level, mechanisms: tuple[Mechanism, ...]
) -> None:
    found = judge(StepNumbers(**numbers))
    assert (found.level, found.mechanisms) == (level, mechanisms)
    assert bool(found.reasons) == (level is not Level.OK)


def test_a_spike_that_an_update_explains_is_not_laid_on_the_batch() -> None:
    found = judge(StepNumbers(loss_nats=3.0), explained=True)
    assert found.mechanisms == () and "batch" not in found.reasons[0]
