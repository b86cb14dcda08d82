"""The documents that are held out of training, as a stage of curation: marked, not taken away.

In: digests, lengths and sources of all documents. Out: meta `split`, `held_out` or `train`.
"""

import hashlib
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import ClassVar

import numpy as np

from herd.data.cleaning import Candidate, choose_held_out
from herd.data.document import Document
from herd.data.stage import Array, Outcome, RuledTransform, Survey, Surveys
from herd.foundation import UserError

DIGEST_BYTES = 32


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
        candidates = [one for part in range(surveys.n_parts) for one in _candidates(surveys, part)]
        chosen = choose_held_out(candidates, self.fraction) if candidates else set()
        start = 0
        for part in range(surveys.n_parts):
            n_documents = surveys.column(part, "n_bytes").size
            marks = np.array([start + i in chosen for i in range(n_documents)], dtype=np.bool_)
            np.save(ruling / f"{part}.npy", marks, allow_pickle=False)
            start += n_documents
        n_bytes = sum(candidates[number].n_bytes for number in chosen)
        return {"held out": len(chosen), "bytes held out": n_bytes}

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


def _candidates(surveys: Surveys, part: int) -> list[Candidate]:
    digests = np.asarray(surveys.column(part, "digest"))
    n_bytes = surveys.column(part, "n_bytes").tolist()
    sources = surveys.column(part, "source").tolist()
    return [
        Candidate(digest.tobytes(), length, str(source))
        for digest, length, source in zip(digests, n_bytes, sources, strict=True)
    ]
