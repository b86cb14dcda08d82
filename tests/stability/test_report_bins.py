"""Thinning: against the naive version, and no spike of one step is lost."""

from fractions import Fraction

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from herd.stability.report_bins import Columns, envelope


@given(
    steps=st.lists(st.integers(0, 500), min_size=1, max_size=60, unique=True).map(sorted),
    most=st.integers(1, 40),
)
def test_every_watched_step_is_in_the_column_of_its_place(steps: list[int], most: int) -> None:
    step_N = np.array(steps)
    values = np.random.default_rng(0).normal(size=(len(steps), 2))
    columns = Columns.over(step_N, most)
    found = columns.reduced(values, np.fmax)
    assert found.shape == (min(most, steps[-1] - steps[0] + 1), 2)
    width = Fraction(steps[-1] - steps[0] + 1, columns.n)
    for place in range(columns.n):
        inside = [values[i] for i, step in enumerate(steps) if (step - steps[0]) // width == place]
        if inside:
            np.testing.assert_allclose(found[place], np.max(inside, axis=0))
    assert np.nanmax(found) == values.max()


def test_columns_between_samples_repeat_the_one_before_but_not_over_a_gap() -> None:
    step_N = np.array([*range(0, 100, 10), *range(500, 600, 10)])
    found = Columns.over(step_N).reduced(np.arange(20.0)[:, None], np.fmax)[:, 0]
    assert found[5] == 0 and found[19] == 1
    assert np.isnan(found[300]) and found[500] == 10


def test_what_is_not_known_gives_way_to_what_is() -> None:
    values = np.array([[np.nan], [0.3], [np.nan], [np.nan]])
    found = Columns.over(np.arange(4), 2).reduced(values, np.fmin)
    assert found[0, 0] == 0.3 and np.isnan(found[1, 0])


@pytest.mark.parametrize("n", [1, 2, 1440, 1441, 100_000])
def test_a_curve_keeps_its_ends_and_its_spike(n: int) -> None:
    steps, values = np.arange(n), np.random.default_rng(0).normal(size=n)
    values[n // 2] = 50
    thin_steps, thin = envelope(steps, values)
    assert len(thin) <= 2 * 720 + 2
    assert thin.max() == values.max() and thin.min() == values.min()
    assert thin_steps[0] == 0 and thin_steps[-1] == n - 1
    assert (np.diff(thin_steps) > 0).all()
    np.testing.assert_array_equal(values[thin_steps], thin)


def test_values_that_are_not_finite_are_left_out() -> None:
    steps, values = envelope(np.arange(4), np.array([1.0, np.nan, np.inf, 2.0]))
    assert steps.tolist() == [0, 3] and values.tolist() == [1.0, 2.0]
