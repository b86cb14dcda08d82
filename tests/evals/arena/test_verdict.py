"""What a judge wrote: only a plain rating is one, and contradictions are ties."""

import pytest

from herd.evals.arena.verdict import both_orders, rating_in


@pytest.mark.parametrize(
    ("text", "rating"),
    [
        ("Reasons.\nRATING: 5", 5),
        ("RATING: 1\n", 1),
        ("**RATING: 7**", 7),
        ("**Rating:** 2", 2),
        ("Rating: 5/7", 5),
        ("> RATING: [3]", 3),
        ("RATING: 6 (right better)", 6),
        ("RATING: 2\nOn second thought:\nRATING: 6", 6),
        ("The left says RATING: 1, but\nRATING: 4", 4),
        ("RATING: n", None),
        ("RATING: 8", None),
        ("RATING: 0", None),
        ("RATING: 45", None),
        ("RATING: 4.5", None),
        ("RATING: 4-5", None),
        ("RATING: -4", None),
        ("I rate it 4", None),
        ("my RATING: 4", None),
        ("", None),
        ("\n" * 100_000 + "?" * 100_000, None),
    ],
)
def test_a_rating_is_a_line_of_its_own(text: str, rating: int | None) -> None:
    assert rating_in(text) == rating


@pytest.mark.parametrize(
    ("plain", "swapped", "together"),
    [(3, 2, 2), (1, 3, 1), (-2, -3, -2), (3, -3, 0), (2, -1, 0), (3, 0, 0), (0, 0, 0)],
)
def test_the_weaker_of_two_verdicts_holds_and_contradictions_are_ties(
    plain: int, swapped: int, together: int
) -> None:
    assert both_orders(plain, swapped) == both_orders(swapped, plain) == together
    assert both_orders(-plain, -swapped) == -together
