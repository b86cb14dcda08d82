"""Oracle: scipy. Properties: an interval holds its mean; Wilson's stays within [0, 1]."""

import math

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from herd.stability.reproduction.intervals import (
    line_fit,
    mean_interval,
    prediction_interval,
    share_interval,
    student_quantile,
)


@pytest.mark.parametrize("degrees", [1, 2, 3, 4, 7, 19, 100])
@pytest.mark.parametrize("confidence", [0.5, 0.95, 0.999])
def test_the_quantile_is_students(degrees: int, confidence: float) -> None:
    stats = pytest.importorskip("scipy.stats")
    expected = stats.t.ppf((1 + confidence) / 2, degrees)
    assert student_quantile(degrees, confidence) == pytest.approx(expected, rel=1e-9)


def test_the_interval_of_a_mean_is_scipys() -> None:
    stats = pytest.importorskip("scipy.stats")
    values = np.random.default_rng(0).normal(3, 2, 9)
    low, high = stats.t.interval(0.95, 8, loc=values.mean(), scale=stats.sem(values))
    estimate = mean_interval(values)
    assert (estimate.low, estimate.high) == pytest.approx((low, high))
    assert estimate.contains(estimate.mean)


@pytest.mark.parametrize(("successes", "n"), [(0, 20), (3, 20), (20, 20), (1, 1)])
def test_the_interval_of_a_share_is_scipys_wilson(successes: int, n: int) -> None:
    stats = pytest.importorskip("scipy.stats")
    expected = stats.binomtest(successes, n).proportion_ci(0.95, method="wilson")
    estimate = share_interval(successes, n)
    assert (estimate.low, estimate.high) == pytest.approx((expected.low, expected.high), abs=1e-12)


@given(st.integers(0, 200), st.integers(1, 200))
def test_a_share_stays_between_nothing_and_all(successes: int, n: int) -> None:
    estimate = share_interval(min(successes, n), n)
    assert 0 <= estimate.low <= estimate.mean + 1e-12
    assert estimate.mean - 1e-12 <= estimate.high <= 1


def test_a_fitted_line_has_scipys_slope_and_interval() -> None:
    stats = pytest.importorskip("scipy.stats")
    rng = np.random.default_rng(1)
    x = np.linspace(0, 5, 12)
    y = 2 + 0.7 * x + rng.normal(0, 0.3, 12)
    expected = stats.linregress(x, y)
    t = stats.t.ppf(0.975, 10)
    intercept, slope = line_fit(x, y)
    assert (slope.mean, slope.half_width) == pytest.approx((expected.slope, t * expected.stderr))
    assert intercept.half_width == pytest.approx(t * expected.intercept_stderr)


def test_a_further_seed_falls_into_the_prediction_interval_as_often_as_promised() -> None:
    rng = np.random.default_rng(2)
    hits = [
        prediction_interval(sample[:-1]).contains(sample[-1])
        for sample in rng.normal(size=(2000, 6))
    ]
    assert np.mean(hits) == pytest.approx(0.95, abs=0.015)


def test_one_seed_has_no_interval_and_no_seed_no_mean() -> None:
    one, none = mean_interval([2.0]), mean_interval([math.nan])
    assert one.mean == 2 and math.isnan(one.low) and one.n == 1
    assert math.isnan(none.mean) and none.n == 0
    assert math.isnan(line_fit([1, 1, 1], [1, 2, 3])[1].mean)
