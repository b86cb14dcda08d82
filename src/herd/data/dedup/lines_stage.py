"""Lines that occur too often, removed wherever they stand (Llama 3, section 3.1.1, after ccNet).

Within each bucket of 30 million documents every line goes that occurs more than six times there. Lines
are compared as ccNet does: lower case, digits made 0, punctuation taken out.
In: hashes of lines. Out: for each bucket the sorted hashes of those that go. Never: an empty line counted.
"""

import json
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from functools import lru_cache
from pathlib import Path
from typing import ClassVar

import numpy as np
from numpy.typing import NDArray

from herd.data.dedup.kept_instead import Places
from herd.data.dedup.key_ranges import NO_KEY, is_within, key_ranges
from herd.data.dedup.line_hashes import line_hashes
from herd.data.document import Document, Kind
from herd.data.stage import Array, Outcome, RuledTransform, Survey, Surveys
from herd.foundation import UserError

BUCKETS = "buckets.json"
BYTES_EACH = 32
NO_LINES = np.empty(0, dtype=np.uint64)


@dataclass(frozen=True, kw_only=True, slots=True)
class LineDedup:
    """Remove lines that occur more than `max_occurrences` times in `bucket_documents` documents.

    Lines of fewer than `min_chars` characters are left alone: in plays and verse they are the names
    of speakers. The paper's rule has no such bound (0).
    """

    name: ClassVar[str] = "lines"
    version: ClassVar[int] = 1
    max_occurrences: int = 6
    bucket_documents: int = 30_000_000
    min_chars: int = 0
    kinds: tuple[Kind, ...] = ("prose",)

    def __post_init__(self) -> None:
        """Refuse what would remove every line."""
        for field in ("max_occurrences", "bucket_documents"):
            if getattr(self, field) < 1:
                raise UserError(f"lines.{field} is {getattr(self, field)}; it must be at least 1")

    def open_survey(self) -> Survey:
        """Return the survey of a part: the hashes of its lines, and how many each document has."""
        return _Lines(self)

    def rule(self, surveys: Surveys, ruling: Path, memory_bytes: int) -> Mapping[str, int]:
        """Count the lines of each bucket; write the hashes of those that go."""
        places = Places.of(surveys, "n_lines")
        n_buckets = max(1, -(-places.n_documents // self.bucket_documents))
        n_lines = 0
        for bucket in range(n_buckets):
            low, high = bucket * self.bucket_documents, (bucket + 1) * self.bucket_documents
            stretches = list(_stretches(surveys, places, low, high))
            going = self._frequent(stretches, memory_bytes)
            np.save(ruling / f"bucket-{bucket:05d}.npy", going, allow_pickle=False)
            n_lines += going.size
        starts = [int(start) for start in places.starts]
        (ruling / BUCKETS).write_text(json.dumps(starts), encoding="utf-8")
        return {"different lines that go": n_lines, "buckets": n_buckets}

    def open(self, ruling: Path, part: int) -> RuledTransform:
        """Return the function that removes the lines from a part's documents."""
        start = json.loads((ruling / BUCKETS).read_text(encoding="utf-8"))[part]

        @lru_cache(maxsize=2)  # a part may lie in two buckets
        def going_of(bucket: int) -> NDArray[np.uint64]:
            going: NDArray[np.uint64] = np.load(ruling / f"bucket-{bucket:05d}.npy", mmap_mode="r")
            return going

        def transform(documents: Sequence[Document], first: int) -> Outcome:
            outcome = Outcome()
            for place, document in enumerate(documents, start=start + first):
                going = going_of(place // self.bucket_documents)
                self._without(document, going, outcome)
            return outcome

        return transform

    def _frequent(
        self, stretches: Sequence[NDArray[np.uint64]], memory_bytes: int
    ) -> NDArray[np.uint64]:
        """The sorted hashes that occur too often, counted a range of hashes at a time."""
        n_lines = sum(one.size for one in stretches)
        found = [NO_LINES]
        for range_ in key_ranges(n_lines, BYTES_EACH, memory_bytes):
            within = [one[is_within(one, range_)] for one in stretches]
            lines, counts = np.unique(np.concatenate([NO_LINES, *within]), return_counts=True)
            found.append(lines[counts > self.max_occurrences])
        return np.concatenate(found)

    def _without(self, document: Document, going: NDArray[np.uint64], outcome: Outcome) -> None:
        if document.kind not in self.kinds or not going.size:
            outcome.documents.append(document)
            return
        lines = document.text.split("\n")
        hashes = line_hashes(document.text, self.min_chars)
        at = np.minimum(np.searchsorted(going, hashes), going.size - 1)
        goes = (going[at] == hashes) & (hashes != NO_KEY)
        n_gone = int(goes.sum())
        if not n_gone:
            outcome.documents.append(document)
            return
        outcome.count("lines", n_gone)
        text = _joined(lines, goes)
        if text.strip():
            detail = f"{n_gone} of {len(lines)} lines"
            outcome.change(replace(document, text=text), "frequent lines removed", detail)
        else:
            outcome.drop(document, "nothing but frequent lines", f"{n_gone} lines")


class _Lines:
    def __init__(self, config: LineDedup) -> None:
        self._config = config
        self._hashes: list[NDArray[np.uint64]] = [NO_LINES]
        self._n_lines: list[int] = []

    def add(self, documents: Sequence[Document]) -> None:
        for document in documents:
            counted = document.kind in self._config.kinds
            hashes = line_hashes(document.text, self._config.min_chars) if counted else NO_LINES
            self._hashes.append(hashes)
            self._n_lines.append(hashes.size)

    def columns(self) -> Mapping[str, Array]:
        return {
            "line": np.concatenate(self._hashes),
            "n_lines": np.array(self._n_lines, dtype=np.int64),
        }


def _stretches(
    surveys: Surveys, places: Places, low: int, high: int
) -> Iterator[NDArray[np.uint64]]:
    """The lines of the documents low .. high, part by part, mapped from disk."""
    for part in range(surveys.n_parts):
        begin, end = int(places.starts[part]), int(places.starts[part + 1])
        if end <= low or begin >= high:
            continue
        ends = np.concatenate([[0], np.cumsum(surveys.column(part, "n_lines"))])
        first, last = ends[max(low - begin, 0)], ends[min(high, end) - begin]
        yield surveys.column(part, "line")[first:last]


def _joined(lines: Sequence[str], goes: NDArray[np.bool_]) -> str:
    """The lines that stay; a paragraph's break stays one however much went around it."""
    kept: list[str] = []
    for line, gone in zip(lines, goes, strict=True):
        if gone or (not line.strip() and (not kept or not kept[-1].strip())):
            continue
        kept.append(line)
    return "\n".join(kept).strip("\n") + "\n" if kept else ""
