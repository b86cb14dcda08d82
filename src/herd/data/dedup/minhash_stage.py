"""Near-duplicates of whole documents, over the whole corpus (Llama 3, section 3.1.1).

Texts that share a band of their MinHash signatures are compared; those alike enough are linked, and
each set of linked texts gives way to its longest. A set can be a chain, whose ends are not alike: only
what is like the one that stays goes, and the longest of the rest stays too, and so on.
In: signatures. Out: which document is kept for which; `clusters.jsonl`, the largest sets by name.
Never: a result that depends on the number of parts, workers or bytes of memory.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import ClassVar

import numpy as np
from numpy.typing import NDArray

from herd.data.dedup.clusters import Clusters, write_clusters
from herd.data.dedup.kept_instead import Places, kept_instead, open_kept_instead, survivors_of
from herd.data.dedup.links import link_alike
from herd.data.dedup.minhash import band_keys, signatures
from herd.data.document import Document, Kind
from herd.data.stage import Array, RuledTransform, Survey, Surveys
from herd.data.word_hashes import Hashes, shingle_hashes, word_hashes
from herd.foundation import UserError

SHINGLES_AT_ONCE = 1 << 20
MAX_PLACES = 1 << 14


@dataclass(frozen=True, kw_only=True, slots=True)
class MinHashDedup:
    """Keep one of each set of near-duplicates: estimated Jaccard similarity of at least `threshold`.

    Shingles are `shingle_words` long; signatures have `n_bands` bands of `n_rows` places. The paper
    gives none of these.
    """

    name: ClassVar[str] = "minhash"
    version: ClassVar[int] = 1
    threshold: float = 0.77
    shingle_words: int = 5
    n_bands: int = 24
    n_rows: int = 8
    kinds: tuple[Kind, ...] = ("prose",)

    def __post_init__(self) -> None:
        """Refuse what finds nothing or everything."""
        if not 0 < self.threshold <= 1:
            raise UserError(f"minhash.threshold is {self.threshold}; it must be above 0, at most 1")
        if self.n_bands * self.n_rows > MAX_PLACES:
            raise UserError(f"minhash: n_bands times n_rows must be at most {MAX_PLACES}")
        for field in ("shingle_words", "n_bands", "n_rows"):
            if getattr(self, field) < 1:
                raise UserError(f"minhash.{field} is {getattr(self, field)}; it must be at least 1")

    def open_survey(self) -> Survey:
        """Return the survey of a part: signature, keys of bands and length of each document."""
        return _Signatures(self)

    def rule(self, surveys: Surveys, ruling: Path, memory_bytes: int) -> Mapping[str, int]:
        """Link what is alike, choose who stays; write both."""
        places = Places.of(surveys, "n_shingles")
        with kept_instead(ruling, surveys, places) as kept:
            linked = link_alike(surveys, places, ruling, self.n_bands, self.threshold, memory_bytes)
            clusters = Clusters(surveys, places, self.threshold, memory_bytes)
            n_clusters = clusters.choose(linked, kept)
        write_clusters(ruling, surveys, places, linked, kept)
        (ruling / "parent.npy").unlink(missing_ok=True)
        return {"clusters": n_clusters, "near-duplicates": int((np.asarray(kept) >= 0).sum())}

    def open(self, ruling: Path, part: int) -> RuledTransform:
        """Return the function that leaves a part's near-duplicates out."""
        return open_kept_instead(ruling, part, "near-duplicate")

    def survivors(self, ruling: Path, part: int) -> NDArray[np.bool_]:
        """Return which documents of a part stay."""
        return survivors_of(ruling, part)


class _Signatures:
    def __init__(self, config: MinHashDedup) -> None:
        self._config = config
        self._n_places = config.n_bands * config.n_rows
        self._pending: list[Hashes] = []
        self._n_pending = 0
        self._n_shingles: list[int] = []
        self._blocks: list[Array] = [np.empty((0, self._n_places), dtype=np.uint32)]

    def add(self, documents: Sequence[Document]) -> None:
        for document in documents:
            compared = document.kind in self._config.kinds
            words = word_hashes(document.text if compared else "")
            shingles = shingle_hashes(words, self._config.shingle_words)
            self._n_shingles.append(shingles.size)
            self._pending.append(shingles)
            self._n_pending += shingles.size
            if self._n_pending >= SHINGLES_AT_ONCE:
                self._flush()

    def columns(self) -> Mapping[str, Array]:
        self._flush()
        found = np.concatenate(self._blocks)
        keys = band_keys(found, self._config.n_bands)
        return {
            "signature": found,
            "n_shingles": np.array(self._n_shingles, dtype=np.int64),
            # A band's keys lie together, for they are read band by band.
            **{f"band_{band:03d}": keys[:, band] for band in range(self._config.n_bands)},
        }

    def _flush(self) -> None:
        if self._pending:
            self._blocks.append(signatures(self._pending, self._n_places))
        self._pending, self._n_pending = [], 0
