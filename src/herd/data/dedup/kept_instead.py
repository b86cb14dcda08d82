"""The ruling of a stage that drops documents for others: for each document, which one is kept instead.

On disk it is one integer a document, so that it holds for any corpus; names are kept of the documents
that stand for others.
In: surveys, pairs of (dropped, kept) by their number in the corpus. Out: a transform for each part.
"""

import json
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from herd.data.document import Document
from herd.data.stage import Outcome, RuledTransform, Surveys

KEPT, PARTS = "kept.npy", "parts.json"
STAYS = -1


@dataclass(frozen=True, slots=True)
class Places:
    """The numbers of documents in the corpus: part after part."""

    starts: NDArray[np.int64]  # of each part, and the end

    @classmethod
    def of(cls, surveys: Surveys, column: str) -> "Places":
        """Count the documents by a column that has one value each."""
        lengths = [surveys.column(part, column).shape[0] for part in range(surveys.n_parts)]
        return cls(np.concatenate([[0], np.cumsum(np.array(lengths, dtype=np.int64))]))

    @property
    def n_documents(self) -> int:
        """How many documents there are."""
        return int(self.starts[-1])

    def part_of(self, numbers: NDArray[np.int64]) -> NDArray[np.int64]:
        """Return the part in which each document lies."""
        return np.searchsorted(self.starts, numbers, side="right") - 1


@contextmanager
def kept_instead(ruling: Path, surveys: Surveys, places: Places) -> Iterator[NDArray[np.int64]]:
    """Yield the array to fill, on disk: the number of the document kept instead, or STAYS."""
    if places.n_documents == 0:
        yield np.empty(0, dtype=np.int64)
        _write_parts(ruling, places)
        return
    kept = np.lib.format.open_memmap(
        ruling / KEPT, mode="w+", dtype=np.int64, shape=(places.n_documents,)
    )
    kept[:] = STAYS
    yield kept
    kept.flush()
    _write_names(ruling, surveys, places, kept)
    _write_parts(ruling, places)


def open_kept_instead(ruling: Path, part: int, reason: str) -> RuledTransform:
    """Return the transform of a part: documents for which another is kept are dropped."""
    starts = json.loads((ruling / PARTS).read_text(encoding="utf-8"))
    begin, end = starts[part], starts[part + 1]
    kept = np.load(ruling / KEPT, mmap_mode="r")[begin:end] if end > begin else []

    @lru_cache(maxsize=64)
    def names_of(other: int) -> dict[str, str]:
        path = ruling / f"names-{other:05d}.json"
        names: dict[str, str] = json.loads(path.read_text(encoding="utf-8"))
        return names

    def transform(documents: Sequence[Document], first: int) -> Outcome:
        outcome = Outcome()
        for place, document in enumerate(documents, start=first):
            instead = int(kept[place])
            if instead == STAYS:
                outcome.documents.append(document)
                continue
            other = int(np.searchsorted(starts, instead, side="right")) - 1
            outcome.drop(document, reason, names_of(other)[str(instead)])
        return outcome

    return transform


def survivors_of(ruling: Path, part: int) -> NDArray[np.bool_]:
    """Return which documents of a part stay."""
    starts = json.loads((ruling / PARTS).read_text(encoding="utf-8"))
    begin, end = starts[part], starts[part + 1]
    if begin == end:
        return np.empty(0, dtype=np.bool_)
    stays: NDArray[np.bool_] = np.load(ruling / KEPT, mmap_mode="r")[begin:end] == STAYS
    return stays


def _write_names(ruling: Path, surveys: Surveys, places: Places, kept: NDArray[np.int64]) -> None:
    """Write, for each part, the names of its documents that are kept instead of others."""
    stands_for_others = np.zeros(places.n_documents, dtype=np.bool_)
    for begin in range(0, kept.size, 1 << 20):
        chosen = kept[begin : begin + (1 << 20)]
        stands_for_others[chosen[chosen != STAYS]] = True
    for part in range(surveys.n_parts):
        begin, end = int(places.starts[part]), int(places.starts[part + 1])
        numbers = np.flatnonzero(stands_for_others[begin:end])
        if numbers.size:
            names = surveys.names(part)
            found = {str(begin + number): names[number] for number in numbers.tolist()}
            path = ruling / f"names-{part:05d}.json"
            path.write_text(json.dumps(found, ensure_ascii=False), encoding="utf-8")


def _write_parts(ruling: Path, places: Places) -> None:
    (ruling / PARTS).write_text(json.dumps(places.starts.tolist()), encoding="utf-8")
