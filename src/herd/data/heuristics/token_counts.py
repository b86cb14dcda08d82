"""How often each hashed word occurs: in a corpus by language, and in a sample of its documents.

In: documents. Out: counts over 2^16 buckets of words; for sampled documents (bucket, count) pairs.
"""

import hashlib
import heapq
from collections.abc import Iterator, Mapping, Sequence

import numpy as np
from numpy.typing import NDArray

from herd.data.document import Document
from herd.data.stage import Array, Surveys
from herd.data.word_hashes import word_hashes

N_BUCKETS = 1 << 16
MAX_LANGUAGE_CHARS = 16
Integers = NDArray[np.int64]


def bucket_counts(text: str) -> tuple[Integers, Integers]:
    """Return the buckets that occur in a text, sorted, and how often each does."""
    buckets = (word_hashes(text) >> np.uint64(48)).astype(np.int64)
    found, counts = np.unique(buckets, return_counts=True)
    return found, counts.astype(np.int64)


def length_class(n_tokens: int) -> int:
    """Return the class of a length: texts of one class differ by a factor of two at most."""
    return n_tokens.bit_length()


class CountSurvey:
    """Counts of a part, and of the documents in it whose names have the smallest hashes."""

    def __init__(self, n_sampled: int, min_tokens: int) -> None:
        self._n_sampled, self._min_tokens = n_sampled, min_tokens
        self._totals: dict[str, Integers] = {}
        # Largest hash first, so that it can make way for a smaller one.
        self._sample: list[tuple[int, str, str, Integers, Integers]] = []

    def add(self, documents: Sequence[Document]) -> None:
        """Count the words of prose."""
        for document in documents:
            if document.kind != "prose":
                continue
            language = document.language[:MAX_LANGUAGE_CHARS]
            buckets, counts = bucket_counts(document.text)
            total = self._totals.setdefault(language, np.zeros(N_BUCKETS, dtype=np.int64))
            total[buckets] += counts
            if counts.sum() >= self._min_tokens:
                self._consider(document.name, language, buckets, counts)

    def _consider(self, name: str, language: str, buckets: Integers, counts: Integers) -> None:
        digest = hashlib.blake2b(name.encode("utf-8", "surrogateescape"), digest_size=8).digest()
        entry = (-int.from_bytes(digest, "big"), name, language, buckets, counts)
        if len(self._sample) < self._n_sampled:
            heapq.heappush(self._sample, entry)
        elif self._sample and entry[:2] > self._sample[0][:2]:
            heapq.heapreplace(self._sample, entry)

    def columns(self) -> Mapping[str, Array]:
        """Return totals [languages, buckets] and the sample's counts end to end."""
        languages = sorted(self._totals)
        sample = sorted(self._sample, key=lambda entry: entry[:2])
        empty = np.empty(0, dtype=np.int64)
        width = f"U{MAX_LANGUAGE_CHARS}"
        return {
            "languages": np.array(languages, dtype=width),
            "totals": np.array([self._totals[one] for one in languages], dtype=np.int64).reshape(
                -1, N_BUCKETS
            ),
            "sample_languages": np.array([entry[2] for entry in sample], dtype=width),
            "sample_sizes": np.array([entry[3].size for entry in sample], dtype=np.int64),
            "sample_buckets": np.concatenate([empty, *(entry[3] for entry in sample)]),
            "sample_counts": np.concatenate([empty, *(entry[4] for entry in sample)]),
        }


def corpus_counts(surveys: Surveys) -> dict[str, Integers]:
    """Add up the counts of all parts, by language."""
    totals: dict[str, Integers] = {}
    for part in range(surveys.n_parts):
        found = surveys.column(part, "totals")
        for number, language in enumerate(surveys.column(part, "languages").tolist()):
            totals[language] = totals.get(language, 0) + np.asarray(found[number])
    return totals


def sampled_counts(surveys: Surveys, language: str) -> Iterator[tuple[Integers, Integers]]:
    """Yield the counts of the sampled documents of a language."""
    for part in range(surveys.n_parts):
        ends = np.cumsum(surveys.column(part, "sample_sizes"))
        buckets, counts = (
            surveys.column(part, "sample_buckets"),
            surveys.column(part, "sample_counts"),
        )
        for number, found in enumerate(surveys.column(part, "sample_languages").tolist()):
            if found == language:
                begin = int(ends[number - 1]) if number else 0
                stretch = slice(begin, int(ends[number]))
                yield np.asarray(buckets[stretch]), np.asarray(counts[stretch])
