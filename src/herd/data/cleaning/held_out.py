"""Choose the documents that are held out of training, by nothing but their content.

A document whose hash, read as a number in 0..1, is below the fraction is held out: it stays there when
others come or go, are renamed or shuffled. Where chance gives a small source too little text to measure
on, the next documents in the order of the hash are added.
In: SHA-256 digests, lengths and sources. Out: which are held out. Never: all documents of a source.
"""

from collections.abc import Sequence
from dataclasses import dataclass

from herd.foundation import UserError

# Of the text asked for, at least this much is held out of each source with two documents or more.
MIN_SHARE_OF_FRACTION = 0.5
NONE_TO_SPARE = (
    "each source has one document only, so none can be held out; "
    "give more documents or a held-out fraction of 0"
)


@dataclass(frozen=True, slots=True)
class Candidate:
    """What the choice depends on."""

    digest: bytes
    n_bytes: int
    source: str


def choose_held_out(candidates: Sequence[Candidate], fraction: float) -> set[int]:
    """Return the numbers of the candidates that are held out: none if `fraction` is 0.

    Raises UserError when every source has a single document, so that none can be spared.
    """
    if fraction == 0:
        return set()
    of_source: dict[str, list[int]] = {}
    for number, candidate in enumerate(candidates):
        of_source.setdefault(candidate.source, []).append(number)
    chosen = set[int]()
    for numbers in of_source.values():
        chosen |= choose_within(numbers, candidates, fraction)
    if not chosen:
        raise UserError(NONE_TO_SPARE)
    return chosen


def choose_within(
    numbers: Sequence[int], candidates: Sequence[Candidate], fraction: float
) -> set[int]:
    """Return which of one source's candidates are held out."""
    in_order = sorted(numbers, key=lambda number: candidates[number].digest)
    wanted_bytes = fraction * MIN_SHARE_OF_FRACTION * sum(candidates[n].n_bytes for n in numbers)
    chosen: set[int] = set()
    n_bytes = 0
    for number in in_order[:-1]:  # one at least is for training
        candidate = candidates[number]
        if _as_fraction(candidate.digest) >= fraction and n_bytes >= wanted_bytes and chosen:
            break
        chosen.add(number)
        n_bytes += candidate.n_bytes
    return chosen


def _as_fraction(digest: bytes) -> float:
    return int.from_bytes(digest[:8], "big") / 2**64
