"""Find private data in a text: where it stands and of which kind it is.

In: a text of any length. Out: spans that do not overlap, in order. Time is linear: most patterns are
never tried, and those for numbers only on the lines that have digits enough.
"""

import re
from collections.abc import Iterable, Iterator
from dataclasses import dataclass

from herd.data.privacy.kinds import BEFORE_CHARS, DIGIT, KINDS, Kind

# Where a number may stand: digits in pairs, an address in dots, a wallet. Patterns for numbers look
# nowhere else.
NUMBER = re.compile(
    r"[0-9]{2}[^\n]{0,12}?[0-9]{2}|[0-9]\.[0-9]{1,3}\.[0-9]|\b[13][1-9A-HJ-NP-Za-km-z]{25}"
)
AROUND_CHARS = 80
Windows = list[tuple[int, int]]


@dataclass(frozen=True, slots=True)
class Span:
    """Private data: text[begin:end]."""

    begin: int
    end: int
    kind: str


def find_pii(text: str) -> list[Span]:
    """Return the private data in a text."""
    found: list[Span] = []
    near_numbers = _merged(_near_numbers(text), len(text))
    for kind in KINDS:
        windows = near_numbers if kind.hints is DIGIT else _merged(_near(kind, text), len(text))
        for begin, end in windows:
            found += _spans(kind, text, begin, end)
    return _without_overlaps(found)


def _spans(kind: Kind, text: str, begin: int, end: int) -> Iterator[Span]:
    for match in kind.pattern.finditer(text, begin, end):
        start, stop = match.span(kind.group)
        before = text[max(start - BEFORE_CHARS, 0) : start]
        if kind.check is None or kind.check(text[start:stop], before):
            yield Span(start, stop, kind.name)


def _near_numbers(text: str) -> Iterator[tuple[int, int]]:
    for match in NUMBER.finditer(text):
        yield match.start() - AROUND_CHARS, match.end() + AROUND_CHARS


def _near(kind: Kind, text: str) -> Windows:
    """The stretches around a kind's hints, in order."""
    windows = []
    for hint in kind.hints:
        at = text.find(hint)
        while at >= 0:
            # The last one within reach stands for those between: a text may be nothing but hints.
            last = text.rfind(hint, at, at + kind.reach_chars)
            windows.append((at - BEFORE_CHARS - 20, max(at, last) + kind.reach_chars))
            at = text.find(hint, max(at, last) + 1)
    return sorted(windows)


def _merged(windows: Iterable[tuple[int, int]], length: int) -> Windows:
    """Stretches within the text, those that touch made one."""
    merged: Windows = []
    for begin, end in windows:
        begin, end = max(begin, 0), min(end, length)
        if merged and begin <= merged[-1][1]:
            merged[-1] = (merged[-1][0], max(end, merged[-1][1]))
        else:
            merged.append((begin, end))
    return merged


def _without_overlaps(found: list[Span]) -> list[Span]:
    """Of spans that overlap the one of the kind that comes first in the table stays."""
    kept: list[Span] = []
    taken: set[int] = set()
    for span in found:
        cells = range(span.begin, span.end)
        if taken.isdisjoint(cells):
            taken.update(cells)
            kept.append(span)
    return sorted(kept, key=lambda span: span.begin)
