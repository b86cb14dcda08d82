"""Of all documents with the same key, the one of the highest rank stays; of equal rank the first.

In: surveys with a column `key` (and one of ranks). Out: the ruling in `kept`.
"""

import numpy as np
from numpy.typing import NDArray

from herd.data.dedup.kept_instead import Places
from herd.data.dedup.key_ranges import DOCUMENT_BYTES, gather_keys, key_ranges
from herd.data.stage import Surveys

Numbers = NDArray[np.int64]


def keep_one_of_each(
    surveys: Surveys,
    places: Places,
    kept: Numbers,
    memory_bytes: int,
    *,
    rank: str | None = None,
) -> int:
    """Fill `kept` by the columns `key` and `rank`; return how many documents go."""
    n_dropped = 0
    for within in key_ranges(places.n_documents, DOCUMENT_BYTES, memory_bytes):
        keys, numbers = gather_keys(surveys, places, "key", within)
        if not keys.size:
            continue
        if rank is not None:
            ranks = values_of(surveys, places, numbers, rank)
            order = np.lexsort((numbers, -ranks, keys))
            keys, numbers = keys[order], numbers[order]
        begins = np.flatnonzero(np.r_[True, keys[1:] != keys[:-1]])
        firsts = np.repeat(numbers[begins], np.diff(np.r_[begins, keys.size]))
        goes = firsts != numbers
        kept[numbers[goes]] = firsts[goes]
        n_dropped += int(goes.sum())
    return n_dropped


def values_of(surveys: Surveys, places: Places, numbers: Numbers, column: str) -> Numbers:
    """Return one integer column of some documents, read from where it lies."""
    found = np.empty(numbers.size, dtype=np.int64)
    parts = places.part_of(numbers)
    for part in np.unique(parts).tolist():
        chosen = np.flatnonzero(parts == part)
        found[chosen] = surveys.column(part, column)[numbers[chosen] - places.starts[part]]
    return found
