"""Agreement of raters, against hand-made and published numbers."""

import pytest

from herd.evals.arena.agreement import agreement, agreement_with_judge
from herd.evals.arena.opinions import Opinion


def opinions(**by_rater):
    return [
        Opinion(f"q{i}", rater, value)
        for rater, values in by_rater.items()
        for i, value in enumerate(values)
        if value is not None
    ]


def test_raters_who_say_the_same_agree_wholly() -> None:
    found = agreement(opinions(ann=[3, -3, 0, 2], bob=[3, -3, 0, 2]))
    assert (found["same_outcome"], found["same_point"]) == (1, 1)
    assert found["cohen_kappa"] == found["krippendorff_alpha"] == 1


def test_kappa_agrees_with_its_textbook() -> None:
    """Wikipedia's grant example: 20, 5, 10, 15; kappa 0.4."""
    pairs = [(2, 2)] * 20 + [(2, -2)] * 5 + [(-2, 2)] * 10 + [(-2, -2)] * 15
    found = agreement(opinions(ann=[a for a, _ in pairs], bob=[b for _, b in pairs]))
    assert found["cohen_kappa"] == pytest.approx(0.4)
    assert found["same_outcome"] == pytest.approx(0.7)


def test_alpha_agrees_with_its_inventor() -> None:
    """Krippendorff 2011, data of section C with missing values: interval alpha 0.849."""
    none = None
    a = [1, 2, 3, 3, 2, 1, 4, 1, 2, none, none, none]
    b = [1, 2, 3, 3, 2, 2, 4, 1, 2, 5, none, 3]
    c = [none, 3, 3, 3, 2, 3, 4, 2, 2, 5, 1, none]
    d = [1, 2, 3, 3, 2, 4, 4, 1, 2, 5, 1, none]
    found = agreement(opinions(a=a, b=b, c=c, d=d))
    assert found["krippendorff_alpha"] == pytest.approx(0.849, abs=5e-4)
    assert found["cohen_kappa"] is None and found["n_items"] == 11


def test_where_nothing_is_shared_or_nothing_varies_no_number_is_made_up() -> None:
    assert agreement(opinions(ann=[3, None], bob=[None, 2])) is None
    found = agreement(opinions(ann=[3, 3], bob=[3, 3]))
    assert found["cohen_kappa"] is None and found["krippendorff_alpha"] is None


def test_a_judge_is_held_against_each_person() -> None:
    judge = [Opinion("q0", "j", 2), Opinion("q1", "j", -2), Opinion("q9", "j", 1)]
    found = agreement_with_judge(opinions(ann=[3, 0], bob=[2, -3]), judge)
    assert (found["n_pairs"], found["n_items"], found["same_outcome"]) == (4, 2, 0.75)
    assert agreement_with_judge([], judge) is None
