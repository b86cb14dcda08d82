"""A haystack: as many tokens of plain text as wanted, with sentences hidden at given depths.

In: a text (or none: sentences made from a seed), needles, a length in tokens. Out: token ids. Never: a
needle cut in two, or set inside a sentence.
"""

from __future__ import annotations

import random
import re
from collections.abc import Sequence
from functools import lru_cache

from herd.foundation import UserError
from herd.tokenizer import Tokenizer

CITIES = [
    "Paris",
    "London",
    "Rome",
    "Madrid",
    "Vienna",
    "Lisbon",
    "Oslo",
    "Dublin",
    "Athens",
    "Cairo",
    "Tokyo",
    "Delhi",
    "Lima",
    "Nairobi",
    "Bangkok",
    "Ottawa",
    "Prague",
    "Warsaw",
    "Havana",
    "Quito",
]
SUBJECTS = [
    "The baker",
    "The old sailor",
    "A young teacher",
    "The gardener",
    "My neighbour",
    "The postman",
    "A tired doctor",
    "The clock maker",
    "The librarian",
    "A quiet farmer",
]
DEEDS = [
    "walked along the river",
    "waited for the morning train",
    "mended a wooden chair",
    "watched the rain",
    "read an old letter",
    "carried a basket of apples",
    "opened the tall window",
    "counted the steps to the door",
    "spoke of the harvest",
    "painted the garden fence",
]
ENDINGS = [
    "before the sun went down",
    "without saying a word",
    "as the bells rang",
    "and thought of the sea",
    "while the children played",
    "until the lamps were lit",
    "although it was cold",
    "and then went home",
]
SENTENCE = re.compile(r"(?<=[.!?])\s+")
LARGEST = 10**7


def needle(city: str, number: int) -> str:
    """Return the sentence that is hidden (llama-models: the special magic number of a city)."""
    return f"The special magic {city} number is: {number}."


def draw_needles(n: int, draw: random.Random) -> list[tuple[str, int]]:
    """Return n cities, each with a number of seven digits."""
    if n > len(CITIES):
        raise UserError(f"there are {len(CITIES)} cities to hide numbers for, not {n}")
    cities = draw.sample(CITIES, n)
    return [(city, draw.randrange(LARGEST // 10, LARGEST)) for city in cities]


def sentences_of(text: str | None, seed: int = 0) -> Sequence[str]:
    """Return the sentences of a text; without one, made sentences without end worth mentioning."""
    if text is not None:
        found = [one.strip() for one in SENTENCE.split(" ".join(text.split())) if one.strip()]
        if len(found) < 50:
            raise UserError(f"the text has {len(found)} sentences; a haystack needs 50 or more")
        return found
    draw = random.Random(seed)
    return [
        f"{draw.choice(SUBJECTS)} {draw.choice(DEEDS)} {draw.choice(ENDINGS)}."
        for _ in range(20_000)
    ]


def haystack(
    tokenizer: Tokenizer,
    sentences: Sequence[str],
    needles: Sequence[str],
    depths: Sequence[float],
    n_tokens: int,
    start: int = 0,
) -> str:
    """Return a text of at most `n_tokens` with each needle after a share `depths[i]` of its sentences.

    It begins with sentence `start`; after the last comes the first.

    Raises UserError when the needles alone do not fit.
    """
    room = n_tokens - sum(_n_tokens(tokenizer, one) for one in needles)
    if room < 0:
        raise UserError(f"{n_tokens:,} tokens do not hold {len(needles)} needles")
    kept: list[str] = []
    at = start
    while True:
        sentence = sentences[at % len(sentences)]
        room -= _n_tokens(tokenizer, sentence)
        if room < 0:
            break
        kept.append(sentence)
        at += 1
    places = [round(depth * len(kept)) for depth in depths]
    for place, hidden in sorted(zip(places, needles, strict=True), reverse=True):
        kept.insert(place, hidden)
    return " ".join(kept)


def _n_tokens(tokenizer: Tokenizer, sentence: str) -> int:
    return _count(tokenizer, f" {sentence}")


@lru_cache(maxsize=65_536)
def _count(tokenizer: Tokenizer, text: str) -> int:
    return len(tokenizer.encode(text))
