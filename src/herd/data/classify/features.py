"""A text as counts of hashed words and pairs of words: what linear classifiers look at, as fastText does.

In: texts. Out: sparse rows of length 1: sqrt(count) of each bucket, normalised. Never: a vocabulary kept.
"""

from collections.abc import Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

from herd.data.word_hashes import run_hashes, word_hashes

MAX_WORDS = 4096  # of each text, from its beginning
MAX_CHARS = 12 * MAX_WORDS
Buckets = NDArray[np.int64]
Values = NDArray[np.float64]


def features(text: str, bits: int) -> tuple[Buckets, Values]:
    """Return the buckets (0 to 2^bits - 1) that a text has, sorted, and their values."""
    words = word_hashes(text[:MAX_CHARS])[:MAX_WORDS]
    hashes = np.concatenate([words, run_hashes(words, 2)])
    buckets, counts = np.unique(
        (hashes >> np.uint64(64 - bits)).astype(np.int64), return_counts=True
    )
    values = np.sqrt(counts)
    return buckets, values / max(float(np.sqrt(counts.sum())), 1.0)


def feature_matrix(texts: Sequence[str], bits: int) -> Any:
    """Return the features of texts as a sparse matrix [texts, 2^bits] (scipy.sparse.csr_array)."""
    from scipy.sparse import csr_array

    rows = [features(text, bits) for text in texts]
    offsets = np.cumsum([0, *(buckets.size for buckets, _ in rows)])
    empty_buckets, empty_values = np.empty(0, np.int64), np.empty(0, np.float64)
    buckets = np.concatenate([empty_buckets, *(one for one, _ in rows)])
    values = np.concatenate([empty_values, *(one for _, one in rows)])
    return csr_array((values, buckets, offsets), shape=(len(rows), 1 << bits))
