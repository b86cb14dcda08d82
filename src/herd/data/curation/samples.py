"""A few examples of what each stage dropped, changed and kept, the same whoever draws them.

Those with the smallest hash of stage, reason and name are chosen: a fair draw that does not depend
on the order in which parts finish, and that merges.
In: documents before and after a stage. Out: excerpts, JSON-able.
"""

import hashlib
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from herd.data.document import Document
from herd.data.privacy import find_pii, redacted
from herd.data.stage import Outcome

SAMPLES_EACH = 4
EXCERPT_CHARS = 600
MARGIN_CHARS = 100
KEPT = "kept"


@dataclass(frozen=True, slots=True)
class Sample:
    """An excerpt of a document; `after` is what it became where a stage changed it."""

    rank: str
    document: str
    detail: str
    before: str
    after: str = ""


class Samples:
    """For each (stage, action, reason) the few samples of the smallest rank."""

    def __init__(self) -> None:
        self._chosen: dict[tuple[str, str, str], list[Sample]] = {}

    def note(self, stage: str, documents: Sequence[Document], outcome: Outcome) -> None:
        """Consider what a batch became."""
        before = {document.name: document for document in documents}
        after = {document.name: document for document in outcome.documents}
        for one in outcome.decisions:
            rank = _rank(stage, one.reason, one.document)
            key = (stage, one.action, one.reason)
            source = before.get(one.document)
            if source is None or not self._is_among_few(key, rank):
                continue
            result = after.get(one.document)
            self._insert(key, _sample(rank, source, result, one.detail))
        self._note_kept(stage, outcome.documents)

    def _note_kept(self, stage: str, documents: Sequence[Document]) -> None:
        for document in documents:
            rank = _rank(stage, KEPT, document.name)
            if self._is_among_few((stage, KEPT, ""), rank):
                sample = Sample(rank, document.name, "", _excerpt(document.text, 0))
                self._insert((stage, KEPT, ""), sample)

    def _is_among_few(self, key: tuple[str, str, str], rank: str) -> bool:
        chosen = self._chosen.get(key, [])
        return len(chosen) < SAMPLES_EACH or rank < chosen[-1].rank

    def _insert(self, key: tuple[str, str, str], sample: Sample) -> None:
        merged = sorted([*self._chosen.get(key, []), sample], key=lambda one: one.rank)
        self._chosen[key] = merged[:SAMPLES_EACH]

    def to_json(self) -> list[dict[str, Any]]:
        """Return all samples as plain values, in the order of their keys."""
        return [
            {"stage": stage, "action": action, "reason": reason}
            | {name: getattr(sample, name) for name in Sample.__slots__}
            for (stage, action, reason), chosen in sorted(self._chosen.items())
            for sample in chosen
        ]

    def names(self) -> dict[str, dict[str, list[str]]]:
        """Return, by stage and reason, what befell whom: `b.txt: 91% of it in a.txt`."""
        named: dict[str, dict[str, list[str]]] = {}
        for (stage, action, reason), chosen in sorted(self._chosen.items()):
            if action != KEPT:
                shown = [f"{one.document}: {one.detail}".removesuffix(": ") for one in chosen]
                named.setdefault(stage, {})[reason] = shown
        return named

    def add_json(self, rows: Iterable[Mapping[str, Any]]) -> None:
        """Merge what `to_json` of another part gave."""
        for row in rows:
            sample = Sample(**{name: row[name] for name in Sample.__slots__})
            key = (row["stage"], row["action"], row["reason"])
            if self._is_among_few(key, sample.rank):
                self._insert(key, sample)


def _rank(stage: str, reason: str, name: str) -> str:
    return hashlib.blake2b(f"{stage}\0{reason}\0{name}".encode(), digest_size=8).hexdigest()


def _sample(rank: str, before: Document, after: Document | None, detail: str) -> Sample:
    if after is None or after.text == before.text:
        return Sample(rank, before.name, detail, _excerpt(before.text, 0))
    start = max(_first_difference(before.text, after.text) - EXCERPT_CHARS // 4, 0)
    return Sample(
        rank, before.name, detail, _excerpt(before.text, start), _excerpt(after.text, start)
    )


def _excerpt(text: str, start: int) -> str:
    """A stretch of a text without private data: samples are looked at, mailed, printed."""
    # A margin, so that what is cut at the excerpt's edge is still known for what it is.
    stretch = text[start : start + EXCERPT_CHARS + MARGIN_CHARS]
    return redacted(stretch, find_pii(stretch))[:EXCERPT_CHARS]


def _first_difference(a: str, b: str) -> int:
    """Where two texts part, by halves: comparing slices is fast, a loop over characters is not."""
    low, high = 0, min(len(a), len(b))
    while low < high:
        middle = (low + high + 1) // 2
        if a[low:middle] == b[low:middle]:
            low = middle
        else:
            high = middle - 1
    return low
