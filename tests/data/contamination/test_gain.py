"""The gain: nothing from nothing, and what a simulated model was given."""

import math

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from herd.data.contamination import estimate_gain
from herd.foundation import UserError

PAIRS = st.lists(
    st.tuples(st.sampled_from([0.0, 0.15, 0.5, 0.95, 1.0]), st.booleans()), min_size=1, max_size=80
)


def plain_gain(pairs, threshold):
    """The paper's formula, example by example."""
    clean = [right for score, right in pairs if score < threshold]
    everything = [right for _, right in pairs]
    return sum(everything) / len(everything) - sum(clean) / len(clean)


@given(PAIRS)
def test_every_gain_is_the_score_of_all_less_that_of_the_clean(pairs):
    scores, right = zip(*pairs, strict=True)
    found = estimate_gain(scores, {"m": right}, min_examples=1)
    for one in found.thresholds:
        assert one.n_clean + one.n_contaminated == len(pairs)
        if one.n_clean:
            assert one.models["m"].gain == pytest.approx(plain_gain(pairs, one.threshold))


@given(PAIRS)
def test_the_chosen_threshold_has_the_largest_significant_gain(pairs):
    scores, right = zip(*pairs, strict=True)
    found = estimate_gain(scores, {"m": right}, min_examples=1)
    used = [one for one in found.thresholds if one.n_clean]
    significant = [one.models["m"].gain for one in used if abs(one.models["m"].z) >= 1.96]
    if not used:
        assert found.chosen is None and found.why_not
    elif significant:
        assert found.significant and found.chosen.models["m"].gain == max(significant)
    else:
        assert not found.significant and found.chosen == used[0]


@given(st.lists(st.booleans(), min_size=30, max_size=60))
def test_without_contamination_there_is_no_gain(right):
    found = estimate_gain(np.zeros(len(right)), {"m": right})
    assert found.chosen.models["m"].gain == 0 and not found.significant
    assert found.chosen.contaminated == 0


def test_the_test_is_that_of_two_proportions():
    scores = [1.0] * 100 + [0.0] * 100
    right = [1] * 60 + [0] * 40 + [1] * 45 + [0] * 55
    model = estimate_gain(scores, {"m": right}).chosen.models["m"]
    pooled = 105 / 200
    assert model.z == pytest.approx(0.15 / math.sqrt(pooled * (1 - pooled) * 2 / 100))
    assert model.standard_error == pytest.approx(model.gain / model.z)


@pytest.mark.parametrize("lift", [0.1, 0.3])
@pytest.mark.parametrize("share", [0.2, 0.7])
def test_a_model_that_is_right_more_often_on_what_it_saw_gains_that(lift, share):
    rng = np.random.default_rng(3)
    n = 20_000
    saw = rng.random(n) < share
    scores = np.where(saw, rng.uniform(0.7, 1, n), rng.uniform(0, 0.3, n))
    right = rng.random(n) < np.where(saw, 0.5 + lift, 0.5)
    found = estimate_gain(scores, {"m": right})
    model = found.chosen.models["m"]
    assert found.significant
    assert abs(model.gain - share * lift) < 4 * model.standard_error
    assert found.chosen.threshold <= 0.7  # beyond it, some that were seen would count as clean


def test_chance_alone_is_significant_no_more_often_than_the_test_says():
    rng = np.random.default_rng(0)
    scores = np.r_[np.ones(200), np.zeros(300)]
    found = [
        estimate_gain(scores, {"m": rng.random(500) < 0.4}, thresholds=(0.5,)).significant
        for _ in range(2000)
    ]
    assert np.mean(found) == pytest.approx(0.05, abs=0.02)


def test_one_threshold_serves_all_models():
    scores = np.r_[np.ones(100), np.full(100, 0.5), np.zeros(100)]
    small = np.tile([1, 0], 150)
    large = np.r_[np.ones(200), np.tile([1, 0], 50)]
    found = estimate_gain(scores, {"8B": small, "405B": large})
    assert found.chosen.threshold <= 0.5
    assert found.chosen.models["8B"].gain == 0 and found.chosen.models["405B"].gain > 0.3


def test_too_few_clean_examples_allow_no_estimate():
    found = estimate_gain(np.r_[np.ones(500), np.zeros(29)], {"m": np.ones(529)})
    assert found.chosen is None and not found.significant
    assert found.why_not == "29 clean examples at most, fewer than 30"


@pytest.mark.parametrize(
    ("scores", "correct"),
    [
        ([0.5], {}),
        ([], {"m": []}),
        ([0.5, 2], {"m": [1, 0]}),
        ([0.5, float("nan")], {"m": [1, 0]}),
        ([0.5], {"m": [1, 0]}),
        ([0.5], {"m": [7]}),
    ],
)
def test_values_that_do_not_fit_are_refused(scores, correct):
    with pytest.raises(UserError):
        estimate_gain(scores, correct)
