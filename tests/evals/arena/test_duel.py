"""A rating by side becomes a preference for a model; the draw of sides is fair and fixed."""

import pytest

from herd.evals.arena.duel import Duel, draw_left, is_rating, outcome_of

PROMPT = ({"role": "user", "content": "?"},)


@pytest.mark.parametrize(("left", "swapped"), [(0, False), (1, True)])
def test_where_the_first_stands_left_a_low_rating_is_for_it(left: int, swapped: bool) -> None:
    duel = Duel("q", PROMPT, ("one", "two"), left=left)
    assert duel.shown(swapped=swapped) == ("one", "two")
    preferences = [duel.preference(rating, swapped=swapped) for rating in range(1, 8)]
    assert preferences == [3, 2, 1, 0, -1, -2, -3]


@pytest.mark.parametrize(("left", "swapped"), [(1, False), (0, True)])
def test_where_the_first_stands_right_a_high_rating_is_for_it(left: int, swapped: bool) -> None:
    duel = Duel("q", PROMPT, ("one", "two"), left=left)
    assert duel.shown(swapped=swapped) == ("two", "one")
    assert [duel.preference(rating, swapped=swapped) for rating in (1, 4, 7)] == [-3, 0, 3]


def test_slightly_better_is_a_tie_and_better_a_win() -> None:
    assert [outcome_of(one) for one in (3, 2, 1, 0, -1, -2, -3)] == [1, 1, 0, 0, 0, -1, -1]


def test_sides_are_drawn_evenly_by_seed_and_stay_when_the_models_change_places() -> None:
    drawn = [draw_left(7, f"q{i}", ("a", "b")) for i in range(2_000)]
    assert 900 < sum(drawn) < 1_100
    assert drawn == [1 - draw_left(7, f"q{i}", ("b", "a")) for i in range(2_000)]
    assert drawn != [draw_left(8, f"q{i}", ("a", "b")) for i in range(2_000)]


@pytest.mark.parametrize("value", [0, 8, True, 4.0, "4", None])
def test_only_whole_numbers_from_1_to_7_are_ratings(value: object) -> None:
    assert not is_rating(value) and is_rating(4)
