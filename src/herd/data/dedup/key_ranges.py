"""64-bit keys of a whole corpus, gone through a range at a time, as many as memory allows.

In: surveys with a column of keys. Out: ranges; the keys within one and the documents that have them.
NO_KEY means that a document has none.
"""

import hashlib
from collections.abc import Iterator

import numpy as np
from numpy.typing import NDArray

from herd.data.dedup.kept_instead import Places
from herd.data.stage import Surveys

NO_KEY = np.uint64(0)
DOCUMENT_BYTES = 64  # a key, a rank, a number, and what sorting them takes
Range = tuple[np.uint64, np.uint64]  # both ends included


def key_of(text: str) -> int:
    """Return a text's key: 64 bits of BLAKE2b, never NO_KEY."""
    data = text.encode("utf-8", "surrogatepass")
    return int.from_bytes(hashlib.blake2b(data, digest_size=8).digest(), "big") or 1


def key_ranges(n_keys: int, bytes_each: int, memory_bytes: int) -> Iterator[Range]:
    """Yield ranges that cover all keys, so many that the keys of each fit in memory."""
    n_ranges = max(1, -(-n_keys * bytes_each // memory_bytes))
    width = -(-(1 << 64) // n_ranges)
    for low in range(0, 1 << 64, width):
        yield np.uint64(low), np.uint64(min(low + width, 1 << 64) - 1)


def is_within(keys: NDArray[np.uint64], within: Range) -> NDArray[np.bool_]:
    """Return which keys lie in a range; NO_KEY lies in none."""
    inside: NDArray[np.bool_] = (keys >= within[0]) & (keys <= within[1]) & (keys != NO_KEY)
    return inside


def gather_keys(
    surveys: Surveys, places: Places, column: str, within: Range
) -> tuple[NDArray[np.uint64], NDArray[np.int64]]:
    """Return the keys in a range and the numbers of their documents, sorted by both."""
    keys, numbers = [np.empty(0, np.uint64)], [np.empty(0, np.int64)]
    for part in range(surveys.n_parts):
        found = np.asarray(surveys.column(part, column))
        chosen = np.flatnonzero(is_within(found, within))
        keys.append(found[chosen])
        numbers.append(chosen + places.starts[part])
    all_keys, all_numbers = np.concatenate(keys), np.concatenate(numbers)
    order = np.lexsort((all_numbers, all_keys))
    return all_keys[order], all_numbers[order]
