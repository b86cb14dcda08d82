"""The state machine on statistics made by hand: one tensor, step by step."""

from collections.abc import Sequence

import numpy as np
import pytest

from herd.stability.reasons import reason_of
from herd.stability.statistics import StatisticsTable, StepTable
from herd.stability.tensor_states import LEVELS, TensorStates
from herd.stability.thresholds import Thresholds
from herd.stability.update_sums import SUMS
from herd.stability.verdict import Level, Mechanism

N = 1000


def table(
    *, rms: float = 0.23, stable: float = 1.0, alignment: float = 0.0, cold: float = 0.0
) -> StatisticsTable:
    """One tensor of 1,000 coordinates with these statistics."""
    sums = dict.fromkeys(SUMS, 0.0)
    sums |= {"n": N, "g2": N, "p2": N, "m2": N, "gp": alignment * N, "u2": N * rms**2}
    sums |= {"stable": N * stable**2, "cold": N * cold, "present_cold": N * cold, "w2": N}
    row = np.array([[float(sums[name]) for name in SUMS]])
    one = np.ones(1)
    return StatisticsTable(StepTable(row, one * rms, np.zeros((1, 2, 64)), one, one, one * 0.9))


def run(states: TensorStates, steps: Sequence[StatisticsTable]) -> list[Level]:
    levels = []
    for step in steps:
        states.update(step, steps=1)
        levels.append(LEVELS[states.level[0]])
    return levels


def fresh() -> TensorStates:
    return TensorStates([Thresholds.for_betas(0.9, 0.95)])


QUIET = [table()] * 40


def test_a_cold_tensor_is_watched_and_its_awakening_is_an_alarm_then_recovery_then_ok() -> None:
    states = fresh()
    cold = run(states, [table(rms=0.005, stable=0.1, cold=0.41)] * 60)
    assert cold[0] is Level.OK and cold[-1] is Level.WATCH
    assert states.mechanism == [Mechanism.COLD]
    awakened = table(rms=0.447, stable=90, alignment=-0.2)
    assert run(states, [awakened]) == [Level.ALARM]
    assert states.mechanism == [Mechanism.AWAKENING]
    reason = reason_of(0, "embedding", states, awakened)
    assert (
        "41% of coordinates with a gradient cold (sqrt(v) below epsilon) for 60 steps, then"
        in reason
    )
    assert "update RMS x89" in reason and "alignment -0.20: a cold layer awakens" in reason
    after = run(states, [table(alignment=0.1)] * 60)
    assert after[0] is Level.ALARM and Level.RECOVERY in after and after[-1] is Level.OK
    assert after.index(Level.RECOVERY) < after.index(Level.OK)


def test_a_jump_that_goes_downhill_is_watched_and_no_alarm() -> None:
    states = fresh()
    run(states, QUIET)
    levels = run(states, [table(rms=0.9, stable=15, alignment=0.8)] * 10)
    assert set(levels) == {Level.WATCH} and states.mechanism == [Mechanism.GROWTH]
    assert run(states, [table(alignment=0.1)]) == [Level.OK]


def test_a_gradient_far_ahead_of_its_second_moment_is_an_alarm_without_coldness() -> None:
    states = fresh()
    run(states, QUIET)
    assert run(states, [table(rms=0.45, stable=1000)]) == [Level.ALARM]
    assert states.mechanism == [Mechanism.LEFT_BEHIND]


def test_a_large_update_against_the_gradient_for_three_steps_is_an_alarm() -> None:
    states = fresh()
    run(states, QUIET)
    levels = run(states, [table(rms=0.6, alignment=-0.3)] * 3)
    assert levels == [Level.WATCH, Level.WATCH, Level.ALARM]
    assert states.mechanism == [Mechanism.UNCORRELATED]


@pytest.mark.parametrize("rms", [0.18, 0.23, 0.3, 0.4])
def test_a_steady_tensor_is_ok_at_any_size_of_its_update(rms: float) -> None:
    noise = np.random.default_rng(0).normal(1, 0.05, 500)
    steps = [table(rms=rms * each, alignment=0.1 * (each - 1)) for each in noise]
    assert set(run(fresh(), steps)) == {Level.OK}


def test_the_large_first_steps_of_a_run_are_no_alarm() -> None:
    steps = [table(rms=max(0.23, 1.0 * 0.97**i), stable=5, alignment=0.3) for i in range(100)]
    assert set(run(fresh(), steps)) == {Level.OK}


def test_no_gradient_no_judgement() -> None:
    states = fresh()
    run(states, QUIET)
    absent = table(rms=5.0, stable=1e5)
    absent._step.present_T[0] = 0
    assert run(states, [absent]) == [Level.OK]


def test_a_state_that_was_saved_goes_on_alike() -> None:
    states = fresh()
    run(states, [table(rms=0.005, cold=0.5)] * 30)
    other = fresh()
    other.load_state_dict(states.state_dict())
    ahead = [table(rms=0.4, stable=50), *[table()] * 50]
    assert run(other, ahead) == run(states, ahead)
    assert other.state_dict() == states.state_dict()


@pytest.mark.parametrize("betas", [(0.9, 0.95), (0.9, 0.999), (0.95, 0.99), (0.0, 0.9)])
def test_thresholds_follow_the_betas(betas: tuple[float, float]) -> None:
    found = Thresholds.for_betas(*betas)
    assert found.healthy_rms < found.large_rms
    assert 20 <= found.baseline_steps <= 200
    if betas[0]:
        assert found.large_rms <= 2 * found.healthy_rms
