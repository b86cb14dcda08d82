"""Verdicts of judge models: what one wrote about one duel in one order, and what both orders say together.

Each duel is judged twice, the sides swapped. Only what both orders say counts: of two verdicts for the
same model the weaker holds, two that contradict each other are a tie.
In: records of a log, a judge's text. Out: verdicts; preferences un-blinded. Never: a text without a
readable rating taken for a tie.
"""

import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Any

from herd.evals.arena.duel import is_rating
from herd.evals.arena.text import unicode_text

# The line that was asked for, with the trimmings that models add: "**RATING: 5**", "Rating: 5/7".
RATING_LINE = re.compile(
    r"^[^a-z0-9\n]{0,20}RATING[ \t:=*_`\[(]{0,8}([1-7])(?:/7)?(?![\d/])[^\d\n]*$",
    re.IGNORECASE | re.M,
)


@dataclass(frozen=True, slots=True)
class Verdict:
    """A judge's text about a duel, and the rating in it by side; None where there is none.

    `swapped`: the sides had changed places. `error` is why there is no text at all.
    """

    item_id: str
    judge: str
    swapped: bool
    text: str
    rating: int | None
    error: str = ""

    def to_record(self) -> dict[str, Any]:
        """Return the line of the log."""
        return {
            "item": self.item_id,
            "judge": self.judge,
            "swapped": self.swapped,
            "rating": self.rating,
            "text": self.text,
            "error": self.error,
        }


def verdict_of(record: Mapping[str, Any]) -> Verdict:
    """Return the verdict that a record holds. Raises ValueError, TypeError or KeyError."""
    rating = record["rating"]
    if rating is not None and not is_rating(rating):
        raise ValueError(f"the rating is {rating!r:.40}, not 1 to 7")
    texts = (unicode_text(record[name]) for name in ("item", "judge", "text", "error"))
    item, judge, text, error = texts
    return Verdict(item, judge, bool(record["swapped"]), text, rating, error)


def rating_in(text: str) -> int | None:
    """Return the rating of the last line that is one, or None."""
    found = RATING_LINE.findall(text)
    return int(found[-1]) if found else None


def latest_verdicts(verdicts: Iterable[Verdict]) -> dict[tuple[str, str, bool], Verdict]:
    """Return the last verdict for each judge, duel and order."""
    return {(one.judge, one.item_id, one.swapped): one for one in verdicts}


def both_orders(plain: int, swapped: int) -> int:
    """Return what two preferences for the first model, one from each order, say together."""
    if plain * swapped <= 0:
        return 0
    return min(plain, swapped, key=abs)
