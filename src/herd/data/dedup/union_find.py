"""Sets that grow together: which of many items are linked, directly or through others.

In: the number of items, links in batches. Out: for each item the first of its set. The links' order
does not matter; the array may lie on disk.
"""

import numpy as np
from numpy.typing import NDArray

Items = NDArray[np.int64]


class UnionFind:
    """Disjoint sets over 0 .. n-1, all operations on whole arrays. The first item of a set is its root."""

    def __init__(self, parent: Items) -> None:
        """Take an array of n items, mapped from disk or in memory, as working space."""
        self.parent = parent
        parent[:] = np.arange(parent.size)

    def find(self, items: Items) -> Items:
        """Return the root of each item."""
        roots = np.asarray(self.parent[items])
        while True:
            above = np.asarray(self.parent[roots])
            if np.array_equal(above, roots):
                return roots
            roots = above

    def union(self, some: Items, others: Items) -> None:
        """Link each item of `some` with the one of `others` in its place."""
        while True:
            roots, other_roots = self.find(some), self.find(others)
            apart = roots != other_roots
            if not apart.any():
                return
            some, others = roots[apart], other_roots[apart]
            # Of several parents offered at once the least wins; the rest is linked in the next round.
            np.minimum.at(self.parent, np.maximum(some, others), np.minimum(some, others))

    def roots(self, begin: int, end: int) -> Items:
        """Return the root of each item of a range, and shorten the paths to them."""
        found = self.find(np.arange(begin, end))
        self.parent[begin:end] = found
        return found
