"""A duel: one prompt, two answers, and which of them stands left where they are judged.

The scale has seven points (Llama 3 paper, section 5.3): 1 left much better, 4 about the same, 7 right
much better. A win is "better" or "much better"; everything between counts as a tie.
In: a prompt, answers, a rating by side. Out: what is shown where; the preference behind a rating.
Never: a model's name.
"""

import hashlib
from collections.abc import Mapping
from dataclasses import dataclass

Messages = tuple[Mapping[str, str], ...]
SCALE = (
    "left much better",
    "left better",
    "left slightly better",
    "about the same",
    "right slightly better",
    "right better",
    "right much better",
)
MIDDLE, HIGHEST = 4, len(SCALE)
DECISIVE = 2  # a preference from here on is a win: "better", not "slightly better"


@dataclass(frozen=True, slots=True)
class Duel:
    """A prompt and the answers of the first and the second model; `left` says whose stands left."""

    item_id: str
    messages: Messages
    answers: tuple[str, str]
    category: str = ""
    left: int = 0

    def shown(self, *, swapped: bool = False) -> tuple[str, str]:
        """Return the answers as they stand: left, right."""
        at = self.left ^ swapped
        return self.answers[at], self.answers[1 - at]

    def preference(self, rating: int, *, swapped: bool = False) -> int:
        """Un-blind a rating: 3 is "the first model much better", -3 "the second much better"."""
        for_left = MIDDLE - rating
        return -for_left if self.left ^ swapped else for_left


def is_rating(value: object) -> bool:
    """Return whether this is a whole number from 1 to 7."""
    return isinstance(value, int) and not isinstance(value, bool) and 1 <= value <= HIGHEST


def outcome_of(preference: int) -> int:
    """Return 1 where the first model wins, -1 where it loses, 0 for a tie."""
    return (preference >= DECISIVE) - (preference <= -DECISIVE)


def draw_left(seed: int, item_id: str, names: tuple[str, str]) -> int:
    """Draw whose answer stands left: 0 or 1. It stays so when the two models change places."""
    first, second = (
        hashlib.sha256(f"{seed}\0{item_id}\0{name}".encode("utf-8", "surrogatepass")).digest()
        for name in names
    )
    return int(second < first)
