"""Shape statistics against diptest, SciPy's moments and known distributions."""

import math

import numpy as np
import pytest

from herd.stability.histogram_shape import bimodality, dip, valley_ratio


def powers(x: np.ndarray) -> list[float]:
    return [float((x**k).sum()) for k in (1, 2, 3, 4)]


def counts_of(x: np.ndarray) -> list[int]:
    return np.histogram(np.clip(x, -1.299, 1.299), 64, (-1.3, 1.3))[0].tolist()


@pytest.mark.parametrize(
    ("draw", "expected"),
    [
        (lambda rng: rng.normal(size=100_000), 1 / 3),
        (lambda rng: rng.uniform(-1, 1, 100_000), 5 / 9),
        (lambda rng: np.sign(rng.normal(size=100_000)) * 0.447, 1.0),
        (lambda rng: 3 + rng.exponential(size=100_000), (4 + 1) / 9),
    ],
)
def test_bimodality_is_that_of_the_distribution(draw: object, expected: float) -> None:
    x = draw(np.random.default_rng(0))  # type: ignore[operator]
    assert bimodality(len(x), *powers(x)) == pytest.approx(expected, abs=0.02)


def test_bimodality_does_not_change_with_place_or_scale() -> None:
    x = np.random.default_rng(1).gamma(2.0, size=5000)
    assert bimodality(5000, *powers(x)) == pytest.approx(bimodality(5000, *powers(1 - 3 * x)))


@pytest.mark.parametrize("seed", range(8))
def test_the_dip_is_that_of_diptest_on_points_spread_over_the_bins(seed: int) -> None:
    import diptest

    rng = np.random.default_rng(seed)
    counts = rng.integers(0, 400, rng.integers(3, 40))
    points = np.concatenate([i + (np.arange(n) + 0.5) / n for i, n in enumerate(counts) if n])
    # A sample's dip exceeds that of its distribution by at most 1/(2n) and rounding.
    assert dip(counts.tolist()) == pytest.approx(
        diptest.dipstat(points), abs=1.5 / len(points) ** 0.9
    )


def test_the_dip_of_one_hump_is_nothing_and_of_two_points_a_quarter() -> None:
    assert dip([1, 2, 5, 9, 5, 2, 1]) == pytest.approx(0, abs=1e-12)
    assert dip([1000, *[0] * 200, 1000]) == pytest.approx(0.25, abs=0.005)


@pytest.mark.parametrize("statistic", [dip, valley_ratio])
def test_a_mirrored_histogram_has_the_same_shape(statistic: object) -> None:
    counts = np.random.default_rng(0).integers(0, 50, 64).tolist()
    assert statistic(counts) == pytest.approx(statistic(counts[::-1]))  # type: ignore[operator]


def test_the_valley_ratio_tells_a_bell_from_two_humps() -> None:
    rng = np.random.default_rng(0)
    assert valley_ratio(counts_of(rng.normal(0, 0.229, 100_000))) > 0.9
    two = np.concatenate([rng.normal(-0.5, 0.1, 50_000), rng.normal(0.5, 0.1, 50_000)])
    assert valley_ratio(counts_of(two)) < 0.05


def test_nothing_to_judge_is_not_a_number() -> None:
    assert math.isnan(dip([0, 0])) and math.isnan(valley_ratio([])) and math.isnan(dip([]))
    assert math.isnan(bimodality(0, 0, 0, 0, 0)) and math.isnan(bimodality(5, 5, 5, 5, 5))
