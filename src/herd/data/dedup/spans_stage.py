"""Repetition inside a document: a run of words that stood before in it is taken out.

Words are those of `word_hashes`, case told apart beyond ASCII only. The first occurrence stays. The
punctuation that closes a run and the signs that open it go with it; of the white space before and after
it the stronger break stays, so that a paragraph that goes leaves no hole.
In: prose. Out: the same text without what it says twice; decisions. Never: a word cut in two.
"""

from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import ClassVar

import numpy as np
from numpy.typing import NDArray

from herd.data.dedup.repeated_runs import may_repeat, words_that_stay
from herd.data.document import Document, Kind
from herd.data.stage import Outcome, Transform
from herd.data.word_hashes import Places, span_hashes, word_spans
from herd.foundation import UserError

WHITE_SPACE = b" \t\n\r\f\v"
REASON = "repeated spans removed"


@dataclass(frozen=True, kw_only=True, slots=True)
class SpanDedup:
    """Take out every run of at least `min_words` words that occurred before in the same document.

    Of a language without spaces (Thai, Chinese) a word is a character.
    """

    name: ClassVar[str] = "spans"
    version: ClassVar[int] = 1
    min_words: int = 50
    kinds: tuple[Kind, ...] = ("prose",)

    def __post_init__(self) -> None:
        """Refuse what would take out words that merely occur twice."""
        if self.min_words < 2:
            raise UserError(f"spans.min_words is {self.min_words}; it must be at least 2")

    def open(self) -> Transform:
        """Return the function of the stage."""

        def transform(documents: Sequence[Document]) -> Outcome:
            outcome = Outcome()
            for document in documents:
                if document.kind in self.kinds:
                    self._without_repeats(document, outcome)
                else:
                    outcome.documents.append(document)
            return outcome

        return transform

    def _without_repeats(self, document: Document, outcome: Outcome) -> None:
        found = without_repeats(document.text, self.min_words)
        if not found.n_spans:
            outcome.documents.append(document)
            return
        outcome.count("spans", found.n_spans)
        outcome.count("words", found.n_removed)
        spans = "1 span" if found.n_spans == 1 else f"{found.n_spans} spans"
        detail = f"{spans}, {found.n_removed} of {found.n_words} words"
        # The first occurrence stays, so that some text is always left.
        outcome.change(replace(document, text=found.text), REASON, detail)


@dataclass(frozen=True, slots=True)
class Unrepeated:
    """A text without its repeats, and how many spans and words went of how many words."""

    text: str
    n_spans: int
    n_removed: int
    n_words: int


def without_repeats(text: str, min_words: int) -> Unrepeated:
    """Return the text without runs of at least `min_words` words that stood before in it.

    The result has none: given it again, the function returns it as it is.
    """
    data = text.encode("utf-8", "surrogatepass")
    n_spans = n_removed = n_words = 0
    # Once is enough, unless what is left is a language without spaces where all was none.
    while (found := _once(data, min_words)) is not None:
        data, spans, removed, words = found
        n_spans, n_removed, n_words = n_spans + spans, n_removed + removed, n_words or words
    if not n_spans:
        return Unrepeated(text, 0, 0, n_words)
    return Unrepeated(data.decode("utf-8", "surrogatepass"), n_spans, n_removed, n_words)


def _once(data: bytes, min_words: int) -> tuple[bytes, int, int, int] | None:
    """The text without its repeats, the spans and words that went, all words; None if none went."""
    lower = data.lower()  # of ASCII alone, so that every word keeps its place
    array = np.frombuffer(lower, dtype=np.uint8)
    starts, ends = word_spans(array)
    hashes = span_hashes(array, starts, ends)
    if not may_repeat(hashes, min_words):
        return None
    bounds = zip(starts.tolist(), ends.tolist(), strict=True)
    words = [lower[start:end] for start, end in bounds]
    stays = words_that_stay(words, hashes.tolist(), min_words)
    if stays.all():
        return None
    runs = _runs_of(~stays)
    return _cut(data, starts, ends, runs), len(runs), int((~stays).sum()), len(words)


def _runs_of(gone: NDArray[np.bool_]) -> list[tuple[int, int]]:
    """The runs of words that go: the first, and the one after the last."""
    edges = np.flatnonzero(np.diff(np.r_[False, gone, False])).tolist()
    return list(zip(edges[::2], edges[1::2], strict=True))


def _cut(data: bytes, starts: Places, ends: Places, runs: Sequence[tuple[int, int]]) -> bytes:
    pieces: list[bytes] = []
    kept_from = 0
    for first, stop in runs:
        at_end = stop == starts.size
        before = data[int(ends[first - 1]) : int(starts[first])]
        after = data[int(ends[stop - 1]) : len(data) if at_end else int(starts[stop])]
        pieces.append(data[kept_from : int(ends[first - 1])])
        pieces.append(_joint(before, after, at_end=at_end))
        kept_from = len(data) if at_end else int(starts[stop])
    pieces.append(data[kept_from:])
    return b"".join(pieces)


def _joint(before: bytes, after: bytes, *, at_end: bool) -> bytes:
    """What stands between two words instead of what stood before and after the run between them."""
    closing, gap, _ = _parts(before)
    _, other_gap, opening = _parts(after)
    if at_end or _strength(other_gap) > _strength(gap):
        gap = other_gap
    return closing + gap + opening


def _parts(between: bytes) -> tuple[bytes, bytes, bytes]:
    """What closes the word before, the gap, what opens the word after.

    The gap goes from the first to the last line end, so that the mark of a heading or an item opens
    what follows; where there is none, from the first to the last white space.
    """
    gaps = b"\n" if b"\n" in between else WHITE_SPACE
    spaces = [number for number, byte in enumerate(between) if byte in gaps]
    if not spaces:
        return between, b"", b""
    first, stop = spaces[0], spaces[-1] + 1
    return between[:first], between[first:stop], between[stop:]


def _strength(gap: bytes) -> tuple[int, bool]:
    return gap.count(b"\n"), bool(gap)
