"""Of all documents with the same key, the one of the highest rank stays; of equal rank the first.

Keys are 64-bit hashes; 0 means that a document has none. They are sorted a range of keys at a time, as
many as memory allows.
In: surveys with a column of keys (and one of ranks). Out: the ruling in `kept`.
"""

import numpy as np
from numpy.typing import NDArray

from herd.data.dedup.kept_instead import Places
from herd.data.stage import Surveys

NO_KEY = np.uint64(0)
BYTES_EACH = 64  # a key, a rank, a number, and what sorting them takes


def keep_one_of_each(
    surveys: Surveys,
    places: Places,
    kept: NDArray[np.int64],
    memory_bytes: int,
    *,
    rank: str | None = None,
) -> int:
    """Fill `kept` by the columns `key` and `rank`; return how many documents go."""
    n_ranges = max(1, -(-places.n_documents * BYTES_EACH // memory_bytes))
    width = -(-(1 << 64) // n_ranges)
    n_dropped = 0
    for number in range(n_ranges):
        low, high = number * width, min((number + 1) * width, 1 << 64) - 1
        keys, ranks, numbers = _gather(surveys, places, rank, np.uint64(low), np.uint64(high))
        order = np.lexsort((numbers, -ranks, keys))
        keys, numbers = keys[order], numbers[order]
        if not keys.size:
            continue
        begins = np.flatnonzero(np.r_[True, keys[1:] != keys[:-1]])
        firsts = np.repeat(numbers[begins], np.diff(np.r_[begins, keys.size]))
        goes = firsts != numbers
        kept[numbers[goes]] = firsts[goes]
        n_dropped += int(goes.sum())
    return n_dropped


def _gather(
    surveys: Surveys, places: Places, rank: str | None, low: np.uint64, high: np.uint64
) -> tuple[NDArray[np.uint64], NDArray[np.int64], NDArray[np.int64]]:
    """Keys within a range, with the ranks and numbers of their documents."""
    keys, ranks, numbers = [], [], []
    for part in range(surveys.n_parts):
        column = np.asarray(surveys.column(part, "key"))
        chosen = np.flatnonzero((column >= low) & (column <= high) & (column != NO_KEY))
        keys.append(column[chosen])
        numbers.append(chosen + places.starts[part])
        if rank is None:
            ranks.append(np.zeros(chosen.size, dtype=np.int64))
        else:
            ranks.append(np.asarray(surveys.column(part, rank))[chosen])
    if not keys:
        return np.empty(0, np.uint64), np.empty(0, np.int64), np.empty(0, np.int64)
    return np.concatenate(keys), np.concatenate(ranks), np.concatenate(numbers)
