"""Who stays of each set of linked documents, and the sets for people to look at.

In: the root of each document's set. Out: the ruling, and `clusters.jsonl`: the largest sets, each with
the document kept and the names of those that went for it.
"""

import json
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from herd.data.dedup.kept_instead import STAYS, Places
from herd.data.dedup.links import Numbers, pairs_at_once, signatures_of
from herd.data.dedup.minhash import likeness
from herd.data.dedup.same_key import values_of
from herd.data.stage import Surveys

SHOWN_CLUSTERS, SHOWN_MEMBERS = 200, 20
FILE = "clusters.jsonl"
MAX_ROUNDS = 64  # of a chain; what is left after them stays


@dataclass(frozen=True, slots=True)
class Clusters:
    """Chooses who stays."""

    surveys: Surveys
    places: Places
    threshold: float
    memory_bytes: int

    def choose(self, roots: Numbers, kept: Numbers) -> int:
        """Fill `kept`; return how many sets have more than one document."""
        members = _in_sets_of_several(roots)
        n_sets = int(np.unique(roots[members]).size)
        lengths = values_of(self.surveys, self.places, members, "n_shingles")
        for _ in range(MAX_ROUNDS):
            if not members.size:
                break
            members, lengths = self._round(roots, kept, members, lengths)
        return n_sets

    def _round(
        self, roots: Numbers, kept: Numbers, members: Numbers, lengths: Numbers
    ) -> tuple[Numbers, Numbers]:
        """Let the longest of each set stay and what is like it go; return who is left undecided."""
        sets = np.asarray(roots[members])
        order = np.lexsort((members, -lengths, sets))
        members, lengths, sets = members[order], lengths[order], sets[order]
        begins = np.flatnonzero(np.r_[True, sets[1:] != sets[:-1]])
        leaders = np.repeat(members[begins], np.diff(np.r_[begins, sets.size]))
        others = np.flatnonzero(leaders != members)
        alike = self._alike(leaders[others], members[others])
        kept[members[others[alike]]] = leaders[others[alike]]
        undecided = others[~alike]
        return members[undecided], lengths[undecided]

    def _alike(self, some: Numbers, others: Numbers) -> NDArray[np.bool_]:
        found = np.empty(some.size, dtype=np.bool_)
        at_once = pairs_at_once(self.surveys, self.memory_bytes) if some.size else 1
        for begin in range(0, some.size, at_once):
            stretch = slice(begin, begin + at_once)
            left = signatures_of(self.surveys, self.places, some[stretch])
            right = signatures_of(self.surveys, self.places, others[stretch])
            found[stretch] = likeness(left, right) >= self.threshold
        return found


def write_clusters(
    ruling: Path, surveys: Surveys, places: Places, roots: Numbers, kept: Numbers
) -> None:
    """Write the largest sets by name."""
    gone = np.flatnonzero(np.asarray(kept) != STAYS)
    leaders, counts = np.unique(np.asarray(kept)[gone], return_counts=True)
    largest = leaders[np.lexsort((leaders, -counts))][:SHOWN_CLUSTERS]
    shown = {
        int(leader): gone[np.asarray(kept)[gone] == leader][:SHOWN_MEMBERS] for leader in largest
    }
    named = _names(surveys, places, [np.array([one, *members]) for one, members in shown.items()])
    n_members = dict(zip(leaders.tolist(), counts.tolist(), strict=True))
    with (ruling / FILE).open("w", encoding="utf-8") as out:
        for leader, members in shown.items():
            row = {
                "kept": named[leader],
                "n_dropped": n_members[leader],
                "dropped": [named[int(member)] for member in members],
            }
            out.write(json.dumps(row, ensure_ascii=False) + "\n")


def _in_sets_of_several(roots: Numbers) -> Numbers:
    roots = np.asarray(roots)
    not_alone = np.flatnonzero(roots != np.arange(roots.size))
    return np.union1d(not_alone, roots[not_alone])


def _names(surveys: Surveys, places: Places, groups: list[Numbers]) -> dict[int, str]:
    numbers = np.unique(np.concatenate(groups)) if groups else np.empty(0, dtype=np.int64)
    parts = places.part_of(numbers)
    named: dict[int, str] = {}
    for part in np.unique(parts).tolist():
        names = surveys.names(part)
        for number in numbers[parts == part].tolist():
            named[number] = names[number - int(places.starts[part])]
    return named
