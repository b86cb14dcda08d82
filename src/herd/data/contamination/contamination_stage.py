"""What of a corpus stands in benchmarks, counted or dropped (Llama 3, sections 3.1 and 5.1.4).

Every document is scanned once, in the survey; the ruling keeps for each part what its documents share,
and for the whole corpus the benchmarks' grams that occur in it, from which `herd.data.contamination`
computes each example's score afterwards.
In: documents, benchmarks' files. Out: meta `contamination` ("gsm8k_test 31/900": words shared, words);
fewer documents; seen.npy. Never: more in memory than the benchmarks' grams and one part's overlaps.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import ClassVar, Literal

import numpy as np
from numpy.typing import NDArray

from herd.data.contamination.benchmark_grams import BenchmarkGrams, load_grams
from herd.data.contamination.overlap import N_WORDS, check_n_words
from herd.data.document import Document
from herd.data.stage import Array, Outcome, RuledTransform, Survey, Surveys
from herd.data.word_hashes import Hashes
from herd.foundation import UserError, read_json, write_json

SEEN, NAMES = "seen.npy", "benchmarks.json"
REASON = "benchmark overlap"
MOST_NAMED = 3
Table = NDArray[np.int64]


@dataclass(frozen=True, kw_only=True, slots=True)
class ContaminationStage:
    """Find documents that overlap with benchmarks in grams of `n_words` words.

    `count` labels and counts them; `drop` also leaves out those of which at least `min_share` of the
    words lie within benchmark grams. In `fields` are the benchmark's fields that count; empty: all.
    By quotation, 999 of 1000 chapters of books are below 0.02 and none is above 0.17 (all shared
    benchmarks together); a page that holds a benchmark's questions is near 1. The default lies between.
    """

    name: ClassVar[str] = "contamination"
    version: ClassVar[int] = 1
    benchmark_paths: tuple[str, ...]
    fields: tuple[str, ...] = ()
    n_words: int = N_WORDS
    action: Literal["count", "drop"] = "count"
    min_share: float = 0.3

    def __post_init__(self) -> None:
        """Refuse what finds nothing or everything."""
        if not self.benchmark_paths:
            raise UserError("contamination.benchmark_paths is empty; name files of benchmarks")
        check_n_words("contamination.n_words", self.n_words)
        if self.action not in ("count", "drop"):
            raise UserError(f"contamination.action is {self.action!r}; it must be count or drop")
        if not 0 < self.min_share <= 1:
            raise UserError(
                f"contamination.min_share is {self.min_share}; it must be above 0, at most 1"
            )

    def open_survey(self) -> Survey:
        """Return the survey of a part: grams seen, and the overlaps of its documents."""
        return _Overlaps(self._grams())

    def rule(self, surveys: Surveys, ruling: Path, memory_bytes: int) -> Mapping[str, int]:
        """Write which grams of the benchmarks the corpus holds, and the overlaps of each part."""
        grams = self._grams()
        is_seen = np.zeros(grams.hashes.size, dtype=np.bool_)
        n_documents = 0
        for part in range(surveys.n_parts):
            is_seen[surveys.column(part, "seen")] = True
            overlaps = np.asarray(surveys.column(part, "overlaps"))
            n_documents += np.unique(overlaps[:, 0]).size
            np.save(ruling / f"{part}.npy", overlaps, allow_pickle=False)
        np.save(ruling / SEEN, grams.hashes[is_seen], allow_pickle=False)
        write_json(ruling / NAMES, list(grams.benchmarks))
        return {
            "documents that overlap": n_documents,
            "benchmark grams": grams.hashes.size,
            "benchmark grams seen": int(is_seen.sum()),
        }

    def open(self, ruling: Path, part: int) -> RuledTransform:
        """Return the function that labels a part's documents, and drops them if so asked."""
        overlaps: Table = np.load(ruling / f"{part}.npy", allow_pickle=False)
        benchmarks: list[str] = read_json(ruling / NAMES)

        def transform(documents: Sequence[Document], first: int) -> Outcome:
            outcome = Outcome()
            bounds = np.arange(first, first + len(documents) + 1)
            ends = np.searchsorted(overlaps[:, 0], bounds).tolist()
            for number, document in enumerate(documents):
                rows = overlaps[ends[number] : ends[number + 1]]
                self._apply(document, rows, benchmarks, outcome)
            return outcome

        return transform

    def _grams(self) -> BenchmarkGrams:
        return load_grams(self.benchmark_paths, self.fields, self.n_words)

    def _apply(
        self, document: Document, rows: Table, benchmarks: Sequence[str], outcome: Outcome
    ) -> None:
        if not rows.size:
            outcome.documents.append(document)
            return
        n_words, n_covered = int(rows[0, 3]), int(rows[0, 4])
        by_benchmark = sorted((-int(row[2]), benchmarks[row[1]]) for row in rows)
        for _, benchmark in by_benchmark:
            outcome.count(benchmark)
        named = [f"{name} {-n}/{n_words}" for n, name in by_benchmark[:MOST_NAMED]]
        share = n_covered / n_words
        if self.action == "drop" and share >= self.min_share:
            detail = f"{share:.0%} of the words, at least {self.min_share:.0%}: {', '.join(named)}"
            outcome.drop(document, REASON, detail)
            return
        meta = {**document.meta, "contamination": ", ".join(named)}
        outcome.documents.append(replace(document, meta=meta))


def read_seen(ruling: Path) -> Hashes:
    """Return the sorted hashes of the benchmarks' grams that the corpus holds, from a ruling.

    `example_score` makes scores of them. Raises UserError when the stage has left none there.
    """
    path = ruling / SEEN
    if not path.is_file():
        raise UserError(f"{path}: no such file; is {ruling} the ruling of a contamination stage?")
    seen: Hashes = np.load(path, allow_pickle=False)
    return seen


class _Overlaps:
    """Rows of document (its place in the part), benchmark, words shared, words, words shared with any."""

    def __init__(self, grams: BenchmarkGrams) -> None:
        self._grams = grams
        self._is_seen = np.zeros(grams.hashes.size, dtype=np.bool_)
        self._rows: list[tuple[int, int, int, int, int]] = []
        self._n_documents = 0

    def add(self, documents: Sequence[Document]) -> None:
        overlaps = self._grams.overlaps([document.text for document in documents])
        for place, found in enumerate(overlaps, start=self._n_documents):
            self._is_seen[found.places] = True
            for benchmark, n_shared in found.by_benchmark.items():
                self._rows.append((place, benchmark, n_shared, found.n_words, found.n_covered))
        self._n_documents += len(documents)

    def columns(self) -> Mapping[str, Array]:
        return {
            "seen": np.flatnonzero(self._is_seen),
            "overlaps": np.array(self._rows, dtype=np.int64).reshape(-1, 5),
        }
