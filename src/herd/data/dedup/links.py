"""Links between documents that are alike, found band by band.

Documents with the same key in a band are candidates: each is compared with the first of them and with
the one before it, so that the work grows with their number and not with its square. Pairs that are in
one set already are not compared again.
In: surveys with signatures and keys. Out: the root of each document's set, on disk.
"""

from collections.abc import Iterator
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from herd.data.dedup.kept_instead import Places
from herd.data.dedup.key_ranges import DOCUMENT_BYTES, gather_keys, key_ranges
from herd.data.dedup.minhash import Signatures, likeness
from herd.data.dedup.union_find import UnionFind
from herd.data.stage import Surveys

Numbers = NDArray[np.int64]
MIN_PAIRS_AT_ONCE = 1024


def link_alike(
    surveys: Surveys,
    places: Places,
    scratch: Path,
    n_bands: int,
    threshold: float,
    memory_bytes: int,
) -> Numbers:
    """Return the root of each document's set: an array on disk, in `scratch`."""
    if places.n_documents == 0:
        return np.empty(0, dtype=np.int64)
    parent = np.lib.format.open_memmap(
        scratch / "parent.npy", mode="w+", dtype=np.int64, shape=(places.n_documents,)
    )
    sets = UnionFind(parent)
    for band in range(n_bands):
        for some, others in _candidates(surveys, places, f"band_{band:03d}", memory_bytes):
            _link(surveys, places, sets, some, others, threshold, memory_bytes)
    step = max(memory_bytes // DOCUMENT_BYTES, 1)
    for begin in range(0, places.n_documents, step):
        sets.roots(begin, min(begin + step, places.n_documents))
    return parent


def signatures_of(surveys: Surveys, places: Places, numbers: Numbers) -> Signatures:
    """Return the signatures of some documents, read from where they lie."""
    width = surveys.column(0, "signature").shape[1]
    found = np.empty((numbers.size, width), dtype=np.uint32)
    parts = places.part_of(numbers)
    for part in np.unique(parts).tolist():
        chosen = np.flatnonzero(parts == part)
        found[chosen] = surveys.column(part, "signature")[numbers[chosen] - places.starts[part]]
    return found


def pairs_at_once(surveys: Surveys, memory_bytes: int) -> int:
    """Return how many pairs of signatures fit in memory."""
    width_bytes = 4 * int(surveys.column(0, "signature").shape[1])
    return max(memory_bytes // (4 * width_bytes), MIN_PAIRS_AT_ONCE)


def _candidates(
    surveys: Surveys, places: Places, column: str, memory_bytes: int
) -> Iterator[tuple[Numbers, Numbers]]:
    """Pairs with the same key, a range of keys at a time."""
    for within in key_ranges(places.n_documents, DOCUMENT_BYTES, memory_bytes):
        keys, numbers = gather_keys(surveys, places, column, within)
        if keys.size < 2:
            continue
        same = np.r_[False, keys[1:] == keys[:-1]]
        firsts = numbers[np.maximum.accumulate(np.where(same, 0, np.arange(keys.size)))]
        later = np.flatnonzero(same)
        yield firsts[later], numbers[later]
        yield numbers[later - 1], numbers[later]


def _link(
    surveys: Surveys,
    places: Places,
    sets: UnionFind,
    some: Numbers,
    others: Numbers,
    threshold: float,
    memory_bytes: int,
) -> None:
    at_once = pairs_at_once(surveys, memory_bytes)
    for begin in range(0, some.size, at_once):
        left, right = some[begin : begin + at_once], others[begin : begin + at_once]
        apart = sets.find(left) != sets.find(right)
        left, right = left[apart], right[apart]
        alike = likeness(
            signatures_of(surveys, places, left), signatures_of(surveys, places, right)
        )
        linked = alike >= threshold
        sets.union(left[linked], right[linked])
