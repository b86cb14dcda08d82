"""Oracle: a plain float loop. Properties: scale decides nothing, spikes lie below the border."""

import math

import numpy as np
import pytest

from herd.foundation import UserError
from herd.stability.reproduction.r4_beta_plane import BetaPlane, run_beta_plane, run_trace
from herd.stability.reproduction.r4_experiment import (
    border,
    fit_border,
    growth_by_sharpness,
    run_r4,
)


def test_the_plane_equals_a_plain_loop() -> None:
    plane = run_beta_plane(
        np.array([0.1, 0.2]), np.array([0.01, 0.05]), [1.0], [1e-30], n_updates=64
    )
    for i, fresh1 in enumerate((0.1, 0.2)):
        for j, fresh2 in enumerate((0.01, 0.05)):
            x, m, v, seen = 1.0, 0.0, 0.0, []
            for _ in range(64):
                m = (1 - fresh1) * m + fresh1 * x
                v = (1 - fresh2) * v + fresh2 * x * x
                x -= 0.1 * m / (math.sqrt(v) + 1e-30)
                seen.append(abs(x))
            late = np.array(seen[32:])
            assert plane.largest[0, i, j] == pytest.approx(late.max(), rel=1e-9)
            assert plane.rms[0, i, j] == pytest.approx(math.sqrt((late**2).mean()), rel=1e-9)


def test_a_slow_second_moment_spikes_and_a_fast_one_swings() -> None:
    plane = run_beta_plane(np.array([0.1]), np.array([1e-3, 0.1]), [1.0], [1e-30], n_updates=40_000)
    spiky, steady = plane.crest[0, 0]
    assert spiky > 4 and steady < 2
    assert plane.cold_fraction.max() == 0


def test_the_border_is_found_between_two_points_and_its_law_recovered() -> None:
    fresh1, fresh2 = np.geomspace(0.03, 0.3, 12), np.geomspace(1e-4, 0.5, 400)
    spiky = fresh2 < 15.6 * fresh1[:, None] ** 3.07
    ones = np.ones((1, *spiky.shape))
    plane = BetaPlane(
        one_minus_beta1=fresh1,
        one_minus_beta2=fresh2,
        n_updates=1,
        largest=np.where(spiky, 7.0, 1.4)[None],
        rms=ones,
        typical=ones,
        cold_fraction=ones * 0,
    )
    c, p = fit_border(plane, 0.03, 0.3)
    assert p.mean == pytest.approx(3.07, abs=0.02)
    assert c.mean == pytest.approx(15.6, rel=0.05)
    assert np.isfinite(border(plane)).all()


def test_sharpness_decides_growth() -> None:
    below, above = growth_by_sharpness(*run_trace(0.9, 0.99, 6000))
    assert below.high < 0 < above.low


def test_the_experiment_says_how_far_it_is_from_the_published_fit() -> None:
    result = run_r4(2, n_updates=400)
    published = next(check for check in result.checks if check.name == "published exponent")
    assert published.holds or "against 3.07" in result.conclusion


def test_a_run_without_a_late_half_is_refused() -> None:
    with pytest.raises(UserError, match="at least 16"):
        run_beta_plane(np.array([0.1]), np.array([0.1]), [1.0], [0.0], n_updates=8)
