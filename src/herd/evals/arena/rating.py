"""Ratings of people: what one of them said about one duel, by side.

In: records of a log. Out: ratings, the last word of each person about each duel. Never: whose answer
stood where; that is un-blinded when a report is made.
"""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Any

from herd.evals.arena.duel import is_rating
from herd.evals.arena.text import unicode_text

MAX_NAME_CHARS = 80


@dataclass(frozen=True, slots=True)
class Rating:
    """1 (left much better) to 7 (right much better); None where the rater passed."""

    item_id: str
    rater: str
    value: int | None

    def to_record(self) -> dict[str, Any]:
        """Return the line of the log."""
        return {"item": self.item_id, "rater": self.rater, "rating": self.value}


def rating_of(record: Mapping[str, Any]) -> Rating:
    """Return the rating that a record holds. Raises ValueError, TypeError or KeyError."""
    value = record["rating"]
    if value is not None and not is_rating(value):
        raise ValueError(f"the rating is {value!r:.40}, not 1 to 7")
    return Rating(unicode_text(record["item"]), unicode_text(record["rater"]), value)


def latest_ratings(ratings: Iterable[Rating]) -> list[Rating]:
    """Return of several ratings of one duel by one rater only the last, in the order of duels' firsts."""
    last: dict[tuple[str, str], Rating] = {}
    for one in ratings:
        last[one.item_id, one.rater] = one
    return list(last.values())
