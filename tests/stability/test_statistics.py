"""Statistics from sums: the definitions, and what happens where there is nothing."""

import math

import numpy as np
import pytest

from herd.stability.statistics import StatisticsTable, StepTable, valley_within
from herd.stability.update_sums import SUMS


def step_of(**sums: float) -> StepTable:
    row = np.array([[float(sums.get(name, 0.0)) for name in SUMS]])
    one = np.ones(1)
    return StepTable(row, one, np.zeros((1, 2, 64)), one, one * 1e-3, one * 0.9)


def test_each_statistic_is_its_definition() -> None:
    step = step_of(
        n=100, g2=4.0, m2=1.0, gm=1.0, p2=25.0, gp=-5.0, u2=9.0, stable=400.0, cold=41, zero=20,
        present_cold=30, kicked=7, spiking=3, w2=1.0, v=25.0,
    )  # fmt: skip
    row = StatisticsTable(step).row(0)
    assert row.update_rms == pytest.approx(0.3)
    assert row.gradient_momentum_cosine == pytest.approx(0.5)
    assert row.alignment == pytest.approx(-0.5)
    assert row.stable_adamw_rms == pytest.approx(2.0)
    assert row.cold_fraction == pytest.approx(0.41)
    assert row.present_cold_fraction == pytest.approx(30 / 80)
    assert (row.kicked_share, row.spike_share) == pytest.approx((0.07, 0.03))
    assert row.update_to_weight == pytest.approx(1e-3 * 0.3 / 0.1)
    assert row.gradient_rms == pytest.approx(0.2) and row.second_moment_rms == pytest.approx(0.5)
    # rho at which cos(g_t, m_{t-1}) is 0.5, and at which the RMS is 0.3
    c = 0.5
    assert row.rho_from_cosine == pytest.approx(c / math.sqrt(1 - 0.81 + 0.81 * c * c))
    ratio = 0.09 * 19
    assert row.rho_from_rms == pytest.approx((ratio - 1) / (0.9 * (ratio + 1)))


def test_a_tensor_with_nothing_in_it_has_no_statistics_and_is_not_present() -> None:
    table = StatisticsTable(step_of())
    assert not table.present[0]
    row = table.row(0)
    assert math.isnan(row.update_rms) and math.isnan(row.dip) and row.alignment == 0


@pytest.mark.parametrize("name", ["g2", "u2"])
def test_sums_that_are_not_finite_are_said_to_be(name: str) -> None:
    assert StatisticsTable(step_of(n=5, **{name: math.nan})).nonfinite[0]


def test_updates_beyond_the_edges_are_no_humps_unless_they_are_most_of_it() -> None:
    rng = np.random.default_rng(0)
    bell = np.histogram(rng.normal(0, 0.8, 100_000).clip(-1.299, 1.299), 64, (-1.3, 1.3))[0]
    assert valley_within(bell.tolist()) > 0.9
    kicked = np.zeros(64)
    kicked[[0, -1]] = 500
    assert valley_within(kicked.tolist()) == 0
