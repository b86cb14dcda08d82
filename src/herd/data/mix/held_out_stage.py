"""The documents that are held out of training, as a stage of curation: marked, not taken away.

Where chance holds enough of a source out, as in all but small ones, a document's own hash decides. The
documents of the others are gathered and chosen by the rule of `cleaning.held_out`.
In: digests, lengths and sources of all documents. Out: meta `split`, `held_out` or `train`.
Never: in memory more than the documents of small sources and one part's surveys.
"""

import hashlib
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import ClassVar

import numpy as np
from numpy.typing import NDArray

from herd.data.cleaning.held_out import (
    MIN_SHARE_OF_FRACTION,
    NONE_TO_SPARE,
    Candidate,
    choose_within,
)
from herd.data.document import Document
from herd.data.stage import Array, Outcome, RuledTransform, Survey, Surveys
from herd.foundation import UserError

DIGEST_BYTES = 32
Sources = NDArray[np.uint64]


@dataclass(frozen=True, kw_only=True, slots=True)
class HeldOutStage:
    """Hold out a share of the documents, chosen by their content alone (see held_out)."""

    name: ClassVar[str] = "held_out"
    version: ClassVar[int] = 1
    fraction: float = 0.05

    def __post_init__(self) -> None:
        """Refuse shares that are none."""
        if not 0 <= self.fraction <= 0.5:
            raise UserError(f"held_out.fraction is {self.fraction}; it must be 0 to 0.5")

    def open_survey(self) -> Survey:
        """Return the survey of a part: digest, length and source of each document."""
        return _Candidates()

    def rule(self, surveys: Surveys, ruling: Path, memory_bytes: int) -> Mapping[str, int]:
        """Choose among all documents; write which of each part are held out."""
        small = self._small_sources(surveys)
        chosen = _chosen_of(surveys, small, self.fraction)
        n_held_out = n_bytes = n_documents = 0
        for part in range(surveys.n_parts):
            marks = self._below(surveys, part) & ~np.isin(surveys.column(part, "source"), small)
            marks[sorted(chosen.get(part, ()))] = True
            np.save(ruling / f"{part}.npy", marks, allow_pickle=False)
            n_documents += marks.size
            n_held_out += int(marks.sum())
            n_bytes += int(surveys.column(part, "n_bytes")[marks].sum())
        if n_documents and self.fraction and not n_held_out:
            raise UserError(NONE_TO_SPARE)
        return {"held out": n_held_out, "bytes held out": n_bytes}

    def open(self, ruling: Path, part: int) -> RuledTransform:
        """Return the function that marks a part's documents."""
        marks = np.load(ruling / f"{part}.npy", allow_pickle=False)

        def transform(documents: Sequence[Document], first: int) -> Outcome:
            outcome = Outcome()
            for place, document in enumerate(documents, start=first):
                split = "held_out" if marks[place] else "train"
                outcome.count(split)
                meta = {**document.meta, "split": split}
                outcome.documents.append(replace(document, meta=meta))
            return outcome

        return transform

    def _small_sources(self, surveys: Surveys) -> Sources:
        """The sources of which chance alone holds out too little, or everything."""
        totals: dict[int, NDArray[np.int64]] = {}
        for part in range(surveys.n_parts):
            sources, n_bytes = surveys.column(part, "source"), surveys.column(part, "n_bytes")
            below = self._below(surveys, part)
            for source in np.unique(sources).tolist():
                of_it = sources == source
                here = [
                    of_it.sum(),
                    n_bytes[of_it].sum(),
                    (of_it & below).sum(),
                    n_bytes[of_it & below].sum(),
                ]
                totals[source] = totals.get(source, np.zeros(4, np.int64)) + np.array(here)
        least = self.fraction * MIN_SHARE_OF_FRACTION
        small = [
            source
            for source, (n_all, bytes_all, n_below, bytes_below) in totals.items()
            if self.fraction and not (0 < n_below < n_all and bytes_below >= least * bytes_all)
        ]
        return np.array(small, dtype=np.uint64)

    def _below(self, surveys: Surveys, part: int) -> NDArray[np.bool_]:
        """Which documents' hashes, as numbers in 0..1, are below the fraction."""
        digests = np.ascontiguousarray(surveys.column(part, "digest")[:, :8])
        below: NDArray[np.bool_] = (
            digests.view(">u8")[:, 0].astype(np.float64) / 2.0**64 < self.fraction
        )
        return below


class _Candidates:
    def __init__(self) -> None:
        self._digests: list[bytes] = []
        self._n_bytes: list[int] = []
        self._sources: list[int] = []

    def add(self, documents: Sequence[Document]) -> None:
        for document in documents:
            self._digests.append(hashlib.sha256(document.text.strip().encode()).digest())
            self._n_bytes.append(len(document.text.encode()))
            source = hashlib.sha256(document.source.encode("utf-8", "surrogateescape")).digest()
            self._sources.append(int.from_bytes(source[:8], "big"))

    def columns(self) -> Mapping[str, Array]:
        digests = np.frombuffer(b"".join(self._digests), dtype=np.uint8)
        return {
            "digest": digests.reshape(-1, DIGEST_BYTES),
            "n_bytes": np.array(self._n_bytes, dtype=np.int64),
            "source": np.array(self._sources, dtype=np.uint64),
        }


def _chosen_of(surveys: Surveys, small: Sources, fraction: float) -> dict[int, set[int]]:
    """By part, the places of the documents of small sources that are held out."""
    candidates: list[Candidate] = []
    places: list[tuple[int, int]] = []
    of_source: dict[int, list[int]] = {}
    for part in range(surveys.n_parts):
        sources, n_bytes = surveys.column(part, "source"), surveys.column(part, "n_bytes")
        digests = surveys.column(part, "digest")
        for place in np.flatnonzero(np.isin(sources, small)).tolist():
            of_source.setdefault(int(sources[place]), []).append(len(candidates))
            places.append((part, place))
            candidates.append(Candidate(digests[place].tobytes(), int(n_bytes[place]), ""))
    chosen: dict[int, set[int]] = {}
    for numbers in of_source.values():
        for number in choose_within(numbers, candidates, fraction):
            part, place = places[number]
            chosen.setdefault(part, set()).add(place)
    return chosen
