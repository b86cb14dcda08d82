"""Exact duplicates: of documents with the same text the first stays, blank space around it apart."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import ClassVar

import numpy as np
from numpy.typing import NDArray

from herd.data.dedup.kept_instead import Places, kept_instead, open_kept_instead, survivors_of
from herd.data.dedup.key_ranges import key_of
from herd.data.dedup.same_key import keep_one_of_each
from herd.data.document import Document
from herd.data.stage import Array, RuledTransform, Survey, Surveys


@dataclass(frozen=True, kw_only=True, slots=True)
class ExactDedup:
    """Keep the first of the documents that are the same (BLAKE2b of the text, 64 bits)."""

    name: ClassVar[str] = "exact"
    version: ClassVar[int] = 1

    def open_survey(self) -> Survey:
        """Return the survey of a part: a hash for each document."""
        return _Keys()

    def rule(self, surveys: Surveys, ruling: Path, memory_bytes: int) -> Mapping[str, int]:
        """Write which document is kept for which."""
        places = Places.of(surveys, "key")
        with kept_instead(ruling, surveys, places) as kept:
            return {"exact duplicates": keep_one_of_each(surveys, places, kept, memory_bytes)}

    def open(self, ruling: Path, part: int) -> RuledTransform:
        """Return the function that leaves a part's duplicates out."""
        return open_kept_instead(ruling, part, "same text")

    def survivors(self, ruling: Path, part: int) -> NDArray[np.bool_]:
        """Return which documents of a part stay."""
        return survivors_of(ruling, part)


class _Keys:
    def __init__(self) -> None:
        self._keys: list[int] = []

    def add(self, documents: Sequence[Document]) -> None:
        self._keys += [key_of(document.text.strip()) for document in documents]

    def columns(self) -> Mapping[str, Array]:
        return {"key": np.array(self._keys, dtype=np.uint64)}
