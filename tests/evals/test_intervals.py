"""Intervals: they hold what they promise, and say so where there is little to say."""

import math

import numpy as np
import pytest

from herd.evals.intervals import bootstrap_ratio, mean_interval, paired_difference, wilson
from herd.foundation import UserError

N_WORLDS = 4_000


def covered(intervals: list, truth: float) -> float:
    return float(np.mean([one.low <= truth <= one.high for one in intervals]))


def test_binomial_intervals_cover_the_truth_in_95_of_100_worlds() -> None:
    rng = np.random.default_rng(0)
    shares = []
    for truth in np.linspace(0.08, 0.92, 15):
        answers = rng.random((N_WORLDS // 10, 250)) < truth
        shares.append(covered([mean_interval(row) for row in answers], truth))
    assert 0.94 <= np.mean(shares) <= 0.96


def test_clustered_intervals_cover_the_truth_where_plain_ones_do_not() -> None:
    """Passages are hard or easy: five questions on each go well or badly together."""
    rng = np.random.default_rng(1)
    clusters = np.repeat(np.arange(80), 5)
    plain, clustered = [], []
    for _ in range(N_WORLDS // 2):
        answers = rng.random(400) < np.repeat(rng.beta(0.6, 0.4, 80), 5)
        plain.append(mean_interval(answers))
        clustered.append(mean_interval(answers, list(clusters)))
    assert covered(plain, 0.6) < 0.85
    assert 0.94 <= covered(clustered, 0.6) <= 0.96


def test_intervals_of_graded_scores_cover_the_truth() -> None:
    rng = np.random.default_rng(2)
    found = [mean_interval(rng.beta(2, 3, 200)) for _ in range(N_WORLDS)]
    assert 0.94 <= covered(found, 0.4) <= 0.96


@pytest.mark.parametrize("shared", [0.0, 0.6])
def test_paired_differences_cover_the_truth(shared: float) -> None:
    rng = np.random.default_rng(3)
    found = []
    for _ in range(N_WORLDS):
        hard = rng.random(200)
        mine = np.where(rng.random(200) < shared, hard, rng.random(200)) < 0.62
        yours = np.where(rng.random(200) < shared, hard, rng.random(200)) < 0.55
        found.append(paired_difference(mine, yours))
    assert 0.94 <= covered(found, 0.07) <= 0.965


def test_the_bootstrap_of_a_ratio_covers_the_truth() -> None:
    rng = np.random.default_rng(4)
    found = []
    for world in range(600):
        n_bytes = rng.integers(200, 4_000, 150)
        bits = n_bytes * rng.normal(1.1, 0.3, 150)
        found.append(bootstrap_ratio(bits, n_bytes, n_samples=400, seed=world))
    assert 0.93 <= covered(found, 1.1) <= 0.97


def test_pairing_is_narrower_than_two_separate_intervals() -> None:
    rng = np.random.default_rng(5)
    hard = rng.random(500)
    mine, yours = (hard < 0.6) * 1.0, (hard < 0.55) * 1.0
    paired = paired_difference(mine, yours)
    apart = mean_interval(mine).high - mean_interval(mine).low
    assert paired.excludes_zero and paired.high - paired.low < apart


@pytest.mark.parametrize("value", [0.0, 1.0])
def test_a_score_of_nothing_or_everything_still_has_an_interval(value: float) -> None:
    found = mean_interval([value] * 50)
    assert found.low <= value <= found.high and found.high - found.low > 0.05
    clustered = mean_interval([value] * 50, [i // 10 for i in range(50)])
    assert clustered.high - clustered.low > found.high - found.low


def test_equal_models_differ_by_nothing_but_not_for_certain() -> None:
    found = paired_difference([1, 0, 1] * 10, [1, 0, 1] * 10)
    assert found.score == 0 and found.low < 0 < found.high


def test_one_question_or_one_passage_knows_nothing() -> None:
    one = mean_interval([1, 0, 1], ["a", "a", "a"])
    assert (one.low, one.high) == (0.0, 1.0)
    assert paired_difference([1, 0], [0, 0], ["a", "a"]).high == math.inf
    assert bootstrap_ratio([1.0], [2.0]).low == -math.inf


def test_wilson_agrees_with_its_formula_in_a_textbook_case() -> None:
    """Newcombe 1998, table I: 81 of 263."""
    assert wilson(81 / 263, 263) == pytest.approx((0.2553, 0.3662), abs=5e-5)


def test_the_order_of_questions_and_the_names_of_clusters_do_not_matter() -> None:
    rng = np.random.default_rng(6)
    values, clusters = rng.random(60), [str(i // 4) for i in range(60)]
    order = rng.permutation(60)
    shuffled = mean_interval(values[order], [f"x{clusters[i]}" for i in order])
    plain = mean_interval(values, clusters)
    assert (shuffled.low, shuffled.high) == pytest.approx((plain.low, plain.high), abs=1e-12)


@pytest.mark.parametrize(
    ("call", "words"),
    [
        (lambda: mean_interval([]), "at least one score"),
        (lambda: mean_interval([0.5, 1.5]), "outside 0 to 1"),
        (lambda: mean_interval([0.5, math.nan]), "no finite number"),
        (lambda: mean_interval([1, 0], ["a"]), "1 cluster labels for 2"),
        (lambda: paired_difference([1], [1, 0]), "pair the same questions"),
        (lambda: bootstrap_ratio([1], [0]), "more than 0"),
    ],
)
def test_what_makes_no_sense_is_refused_in_one_line(call, words: str) -> None:
    with pytest.raises(UserError, match=words):
        call()
