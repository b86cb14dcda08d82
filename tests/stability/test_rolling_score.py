"""z-scores against a plain rolling mean, and what spikes may do to them."""

import math

import numpy as np
import pytest

from herd.stability.rolling_score import RollingScore


def test_scores_are_those_of_the_last_128_values() -> None:
    values = np.random.default_rng(0).normal(3, 0.1, 400)
    score = RollingScore()
    for i, value in enumerate(values):
        window = values[max(0, i - 128) : i]
        found = score.score(float(value))
        if len(window) < 64:
            assert found is None
        else:
            assert found == pytest.approx((value - window.mean()) / window.std(ddof=1))


def test_a_spike_does_not_hide_the_next_but_a_level_that_stays_becomes_normal() -> None:
    score = RollingScore()
    rng = np.random.default_rng(0)
    for value in rng.normal(0, 1, 128):
        score.score(float(value))
    assert all(score.score(100.0) > 50 for _ in range(9))  # type: ignore[operator]
    for value in rng.normal(100, 1, 1000):
        last = score.score(float(value))
    assert last is not None and last < 6


@pytest.mark.parametrize("bad", [math.nan, math.inf])
def test_what_is_not_finite_scores_infinity_and_is_not_remembered(bad: float) -> None:
    score = RollingScore()
    for _ in range(70):
        score.score(1.0)
    assert score.score(bad) == math.inf
    assert score.score(1.0) == pytest.approx(0)
    assert score.score(None) is None


def test_a_saved_score_goes_on_alike() -> None:
    values = np.random.default_rng(1).normal(size=200).tolist()
    score, other = RollingScore(), RollingScore()
    for value in values[:100]:
        score.score(value)
    other.load_state_dict(score.state_dict())
    assert [other.score(v) for v in values[100:]] == [score.score(v) for v in values[100:]]
