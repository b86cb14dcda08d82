"""Sets that grow together, against a dictionary of sets."""

import numpy as np
from hypothesis import given
from hypothesis import strategies as st

from herd.data.dedup.union_find import UnionFind

LINKS = st.lists(st.tuples(st.integers(0, 29), st.integers(0, 29)), max_size=60)


def plain_roots(links, n):
    of = {i: {i} for i in range(n)}
    for a, b in links:
        joined = of[a] | of[b]
        for i in joined:
            of[i] = joined
    return [min(of[i]) for i in range(n)]


@given(LINKS, st.integers(1, 60))
def test_every_item_has_the_first_of_its_set_as_root(links, batch):
    sets = UnionFind(np.empty(30, dtype=np.int64))
    for start in range(0, len(links), batch):
        pairs = np.array(links[start : start + batch], dtype=np.int64).reshape(-1, 2)
        sets.union(pairs[:, 0], pairs[:, 1])
    assert sets.roots(0, 30).tolist() == plain_roots(links, 30)
