"""Find private data in a text: where it stands and of which kind it is.

The result is that of every pattern tried all over the text. But it is tried only near the kind's places
(`places.py`), of which most text has none. Time is linear: patterns are bounded, and a place is tried once.
In: a text of any length. Out: spans that do not overlap, in order.
"""

import re
from bisect import bisect_right
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from functools import lru_cache
from itertools import accumulate

from herd.data.privacy.checks import BEFORE_CHARS
from herd.data.privacy.kinds import KINDS, Kind
from herd.data.privacy.places import Hints, Text
from herd.data.text_batches import text_batches

JOIN_CHARS = 16  # stretches so near each other are gone through as one
# Between texts that are gone through as one: no pattern matches both a line's end and what follows it here.
BETWEEN = "\n\0\n"
GROUP_CHARS = 1 << 17
SHORT_CHARS = 16  # in which trying each place is faster than searching


@dataclass(frozen=True, slots=True)
class Span:
    """Private data: text[begin:end]."""

    begin: int
    end: int
    kind: str


def find_pii(text: str) -> list[Span]:
    """Return the private data in a text."""
    return without_overlaps(list(_found(text, [0])))


def find_pii_in_each(texts: Sequence[str]) -> list[list[Span]]:
    """Return the private data in each text: as find_pii, in less time if they are short."""
    found: list[list[Span]] = []
    for group in text_batches(texts, GROUP_CHARS):
        starts = [0, *accumulate(len(text) + len(BETWEEN) for text in group)]
        in_group: list[list[Span]] = [[] for _ in group]
        for span in _found(BETWEEN.join(group), starts):
            number = bisect_right(starts, span.begin) - 1
            start = starts[number]
            in_group[number].append(Span(span.begin - start, span.end - start, span.kind))
        found += [without_overlaps(spans) for spans in in_group]
    return found


def _found(text: str, starts: list[int]) -> Iterator[Span]:
    """What is private in texts joined, of which these are the starts, kind by kind."""
    screened = Text(text)
    hinted = _hints().places(screened.data)
    for kind in KINDS:
        if kind.anchor is not None:
            places = kind.anchor(screened).tolist()
        elif hinted:
            places = sorted(at for hint in kind.hints for at in hinted.get(hint, ()))
        else:
            continue
        if places:
            yield from _spans(kind, text, places, starts)


def without_overlaps(found: list[Span]) -> list[Span]:
    """Return spans in order; of those that overlap the one that comes first in the list stays."""
    kept: list[Span] = []
    taken: set[int] = set()
    for span in found:
        cells = range(span.begin, span.end)
        if taken.isdisjoint(cells):
            taken.update(cells)
            kept.append(span)
    return sorted(kept, key=lambda span: span.begin)


def is_private(kind: Kind, text: str, begin: int, end: int, start: int = 0) -> bool:
    """Whether what a pattern matched passes the kind's check; the text it is of begins at `start`."""
    before = text[max(begin - BEFORE_CHARS, start) : begin]
    return kind.check is None or kind.check(text[begin:end], before)


def _spans(kind: Kind, text: str, places: list[int], starts: list[int]) -> Iterator[Span]:
    for match in _matches(kind, text, places):
        begin, end = match.span(kind.group)
        if is_private(kind, text, begin, end, starts[bisect_right(starts, begin) - 1]):
            yield Span(begin, end, kind.name)


def _matches(kind: Kind, text: str, places: list[int]) -> Iterator[re.Match[str]]:
    """The pattern's matches that begin near one of the places, as if it was tried everywhere."""
    position = 0
    for begin, end in _stretches(places, kind.before_chars):
        position = max(position, begin)
        while position <= end:
            match = _next_match(kind, text, position, end)
            if match is None:
                break
            yield match
            position = match.end()


def _next_match(kind: Kind, text: str, begin: int, end: int) -> re.Match[str] | None:
    """The first match that begins from `begin` to `end`."""
    if end - begin < SHORT_CHARS:
        tried = (kind.pattern.match(text, at) for at in range(begin, end + 1))
        return next((match for match in tried if match), None)
    match = kind.pattern.search(text, begin, end + kind.longest_chars)
    return match if match and match.start() <= end else None


def _stretches(places: list[int], before_chars: int) -> Iterator[tuple[int, int]]:
    """From where to where matches may begin: both ends included, those near each other made one."""
    begin = end = places[0]
    for place in places:
        if place - before_chars > end + JOIN_CHARS:
            yield max(begin - before_chars, 0), end
            begin = place
        end = place
    yield max(begin - before_chars, 0), end


@lru_cache(maxsize=1)
def _hints() -> Hints:
    """The hints of all kinds; those of patterns that ignore case, in either."""
    exact, folded = (
        [
            hint
            for kind in KINDS
            if bool(kind.pattern.flags & re.IGNORECASE) is one
            for hint in kind.hints
        ]
        for one in (False, True)
    )
    return Hints(exact, folded)
