"""Every metric of a task becomes a measure with an interval, whatever its shape."""

import math

import pytest

from herd.evals.measures import measures_of


def mean(values: list[float]) -> float:
    return sum(values) / len(values)


def samples(metric: str, values: list, passages: list[str] | None = None) -> list[dict]:
    return [
        {"metrics": [metric], "filter": "none", metric: value,
         "doc": {"passage": (passages or [str(i) for i in range(len(values))])[i]}}
        for i, value in enumerate(values)
    ]  # fmt: skip


def one(metric: str, values: list, aggregate, passages: list[str] | None = None):
    (found,) = measures_of(
        samples(metric, values, passages),
        aggregations={metric: aggregate},
        higher_is_better={metric: False},
        cluster="passage" if passages else "",
    )
    return found


def test_right_and_wrong_have_wilsons_interval() -> None:
    found = one("acc", [1.0, 0.0, 1.0, 1.0], mean)
    assert (found.score, found.method, found.n) == (0.75, "binomial (Wilson)", 4)
    assert not found.higher_is_better


def test_questions_on_one_passage_are_clustered() -> None:
    found = one("acc", [1.0, 1.0, 0.0, 0.0] * 5, mean, [str(i // 2) for i in range(20)])
    plain = one("acc", [1.0, 1.0, 0.0, 0.0] * 5, mean)
    assert found.clusters == 10 and found.ci_high - found.ci_low > plain.ci_high - plain.ci_low


def test_bits_per_byte_weigh_long_texts_more() -> None:
    pairs = [(-100 * math.log(2), 50), (-10 * math.log(2), 20)]
    found = one("bits_per_byte", pairs, lambda values: -1)
    assert found.score == pytest.approx(110 / 70)
    assert one("word_perplexity", pairs, lambda values: -1).score == pytest.approx(2 ** (110 / 70))


def test_several_verdicts_of_one_answer_are_a_cluster() -> None:
    found = one("inst_level_strict_acc", [[True, False], [True], [False, False, True]], mean)
    assert (found.score, found.n, found.clusters) == (0.5, 6, 3)


def test_anything_else_is_resampled_with_the_harnesss_own_aggregation() -> None:
    def f1(pairs: list[tuple[int, int]]) -> float:
        return sum(a == b for a, b in pairs) / len(pairs)

    found = one("f1", [(1, 1), (0, 1), (1, 1), (0, 0)] * 10, f1)
    assert found.score == 0.75 and found.ci_low < 0.75 < found.ci_high
    assert found.method == "bootstrap"


def test_numbers_beyond_0_and_1_have_a_bootstrap() -> None:
    found = one("bleu", [10.0, 30.0, 20.0] * 10, mean)
    assert found.score == pytest.approx(20) and 15 < found.ci_low < 20 < found.ci_high < 25


def test_each_filter_has_its_own_measure() -> None:
    both = samples("exact_match", [1.0, 0.0]) + [
        {**sample, "filter": "strict"} for sample in samples("exact_match", [0.0, 0.0])
    ]
    found = measures_of(both, aggregations={"exact_match": mean}, higher_is_better={})
    assert {measure.filter: measure.score for measure in found} == {"none": 0.5, "strict": 0.0}
