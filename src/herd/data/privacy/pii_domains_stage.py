"""Documents of domains that are full of private data dropped (Llama 3, section 3.1.1).

Private data is counted over all documents of a domain, so that a page with one address goes with the
telephone book that it is part of, and stays with a newspaper. A domain is the host of meta `url` without
`www.`: what stands below a host for blogs are sites of their own. The stage has to stand before
`PiiRedactor`, which leaves nothing to count.
In: texts, meta `url`. Out: fewer documents, the domain and its density named. Never: a document without
URL dropped; private data in a decision.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import ClassVar

import numpy as np
from numpy.typing import NDArray

from herd.data.dedup.key_ranges import NO_KEY, Range, is_within, key_of, key_ranges
from herd.data.document import Document
from herd.data.privacy.domain_stage import host_of
from herd.data.privacy.find import find_pii_in_each
from herd.data.stage import Array, Outcome, RuledTransform, Survey, Surveys
from herd.foundation import UserError

TABLE = "domains.bin"
ROW = np.dtype([("key", np.uint64), ("per_1000_words", np.float64)])
DOCUMENT_BYTES = 128  # a key and two counts, and what sorting them takes
CHUNK = 1 << 20


@dataclass(frozen=True, kw_only=True, slots=True)
class PiiDomainFilter:
    """Drop documents of domains with more than `max_per_1000_words` private data in a thousand words.

    A domain of fewer than `min_documents` documents says too little of itself, and stays.
    """

    name: ClassVar[str] = "pii_domains"
    version: ClassVar[int] = 2
    max_per_1000_words: float = 5.0
    min_documents: int = 5

    def __post_init__(self) -> None:
        """Refuse bounds that would drop every domain, or none for a reason."""
        if not 0 < self.max_per_1000_words < float("inf"):
            raise UserError(
                f"pii_domains.max_per_1000_words is {self.max_per_1000_words}; it must be above 0"
            )
        if self.min_documents < 1:
            raise UserError(f"pii_domains.min_documents is {self.min_documents}; at least 1")

    def open_survey(self) -> Survey:
        """Return the survey of a part: domain, private data and words of each document."""
        return _Counts()

    def rule(self, surveys: Surveys, ruling: Path, memory_bytes: int) -> Mapping[str, int]:
        """Write the density of each document's domain, 0 where the domain stays."""
        n_domains = self._write_table(surveys, ruling / TABLE, memory_bytes)
        table = np.memmap(ruling / TABLE, dtype=ROW, mode="r") if n_domains else np.empty(0, ROW)
        n_dropped = 0
        for part in range(surveys.n_parts):
            densities = _densities(surveys.column(part, "domain"), table)
            np.save(_path(ruling, part), densities, allow_pickle=False)
            n_dropped += int(np.count_nonzero(densities))
        return {"domains": n_domains, "documents of them": n_dropped}

    def open(self, ruling: Path, part: int) -> RuledTransform:
        """Return the function that leaves a part's documents of such domains out."""
        densities = np.load(_path(ruling, part))

        def transform(documents: Sequence[Document], first: int) -> Outcome:
            outcome = Outcome()
            for place, document in enumerate(documents, start=first):
                density = float(densities[place])
                if density:
                    detail = f"{domain_of(document)}: {density:.1f} in 1,000 words"
                    outcome.drop(document, "domain full of private data", detail)
                else:
                    outcome.documents.append(document)
            return outcome

        return transform

    def survivors(self, ruling: Path, part: int) -> NDArray[np.bool_]:
        """Return which documents of a part stay."""
        stays: NDArray[np.bool_] = np.load(_path(ruling, part)) == 0
        return stays

    def _write_table(self, surveys: Surveys, path: Path, memory_bytes: int) -> int:
        """Write the domains that go, in the order of their keys; return how many there are."""
        n_documents = sum(surveys.column(part, "domain").size for part in range(surveys.n_parts))
        n_domains = 0
        with path.open("wb") as file:
            for within in key_ranges(n_documents, DOCUMENT_BYTES, memory_bytes):
                keys, sums = _sums(surveys, within)
                per_1000_words = 1000 * sums["n_found"] / np.maximum(sums["n_words"], 1)
                goes = per_1000_words > self.max_per_1000_words
                goes &= sums["n_documents"] >= self.min_documents
                rows = np.empty(int(goes.sum()), dtype=ROW)
                rows["key"], rows["per_1000_words"] = keys[goes], per_1000_words[goes]
                file.write(rows.tobytes())
                n_domains += rows.size
        return n_domains


def domain_of(document: Document) -> str:
    """Return the host of a document's URL without `www.`; empty without one."""
    return host_of(document.meta.get("url", "")).removeprefix("www.")


class _Counts:
    def __init__(self) -> None:
        self._domains: list[int] = []
        self._n_found: list[int] = []
        self._n_words: list[int] = []

    def add(self, documents: Sequence[Document]) -> None:
        domains = [domain_of(document) for document in documents]
        # Those without a domain are not looked through.
        texts = [one.text if domain else "" for one, domain in zip(documents, domains, strict=True)]
        self._domains += [key_of(domain) if domain else int(NO_KEY) for domain in domains]
        self._n_found += [len(found) for found in find_pii_in_each(texts)]
        self._n_words += [len(text.split()) for text in texts]

    def columns(self) -> Mapping[str, Array]:
        return {
            "domain": np.array(self._domains, dtype=np.uint64),
            "n_found": np.array(self._n_found, dtype=np.int64),
            "n_words": np.array(self._n_words, dtype=np.int64),
        }


def _sums(
    surveys: Surveys, within: Range
) -> tuple[NDArray[np.uint64], dict[str, NDArray[np.int64]]]:
    """The domains whose keys lie in a range, in order, and what their documents have together."""
    keys, found, words = [np.empty(0, np.uint64)], [np.empty(0, np.int64)], [np.empty(0, np.int64)]
    for part in range(surveys.n_parts):
        domains = np.asarray(surveys.column(part, "domain"))
        chosen = np.flatnonzero(is_within(domains, within))
        keys.append(domains[chosen])
        found.append(surveys.column(part, "n_found")[chosen])
        words.append(surveys.column(part, "n_words")[chosen])
    all_keys = np.concatenate(keys)
    order = np.argsort(all_keys, kind="stable")
    domains, firsts, n_documents = np.unique(all_keys[order], return_index=True, return_counts=True)
    if not domains.size:
        nothing = np.empty(0, np.int64)
        return domains, {"n_found": nothing, "n_words": nothing, "n_documents": nothing}
    return domains, {
        "n_found": np.add.reduceat(np.concatenate(found)[order], firsts),
        "n_words": np.add.reduceat(np.concatenate(words)[order], firsts),
        "n_documents": n_documents,
    }


def _densities(domains: Array, table: Array) -> NDArray[np.float64]:
    """For each document the density of its domain if the domain goes, else 0."""
    densities = np.zeros(domains.size, dtype=np.float64)
    if not table.size:
        return densities
    for begin in range(0, domains.size, CHUNK):
        keys = domains[begin : begin + CHUNK]
        at = np.minimum(np.searchsorted(table["key"], keys), table.size - 1)
        goes = table["key"][at] == keys
        densities[begin : begin + CHUNK] = np.where(goes, table["per_1000_words"][at], 0.0)
    return densities


def _path(ruling: Path, part: int) -> Path:
    return ruling / f"{part:05d}.npy"
