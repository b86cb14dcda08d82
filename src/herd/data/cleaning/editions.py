"""Keep one edition of each work: find texts that say the same in other spelling, dress or company.

A text becomes a sequence of consonant skeletons (lower case, without vowels, y, v, w and h, doubled
letters once, c, k and q alike): 'releefe' and 'relief' are both 'rlf', so a folio of 1623 and a modern
edition of a play agree. Of its runs of five skeletons those are kept whose hash is below a threshold,
which samples the same runs in every text. The share of the shorter text's runs that the longer one
has estimates how much of it the longer contains (Broder 1997, with words changed to skeletons).
Measured on the works of Shakespeare and Milton: editions of one work 0.66 to 0.82, a work within
a collection 0.67 and 0.90, anything else at most 0.18.
Room for a later stage: all pairs are compared through an index in memory, not by banded MinHash.
In: texts. Out: sketches; from sketches, which texts to drop and for which. Never: on code.
"""

import re
import zlib
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass
from functools import lru_cache

import numpy as np
from numpy.typing import NDArray

RUN_WORDS = 5
SAMPLE_ONE_IN = 4
MIN_CONTAINED = 0.4
# Fewer sampled runs than this (some 200 words) say too little.
MIN_SAMPLED_RUNS = 50
# A run that this many texts have is a formula, not a work.
MAX_TEXTS_WITH_RUN = 20

WORD = re.compile(r"[^\W\d_]+(?:['’][^\W\d_]+)*")
SILENT = dict.fromkeys(map(ord, "aeiouyvwhj'’"))
ALIKE = str.maketrans("kqz", "ccs")
DOUBLED = re.compile(r"(.)\1+")


@dataclass(frozen=True)
class Sketch:
    """Sampled runs of a text (sorted, unique) and its length in words that left a skeleton."""

    runs: NDArray[np.uint64]
    n_words: int


def sketch(text: str) -> Sketch:
    """Sample a text's runs of skeletons."""
    hashed = (_skeleton_hash(word) for word in WORD.findall(text.lower()))
    words_N = np.array([value for value in hashed if value is not None], dtype=np.uint64)
    n_runs = len(words_N) - RUN_WORDS + 1
    if n_runs < 1:
        return Sketch(np.empty(0, dtype=np.uint64), len(words_N))
    runs_N = np.zeros(n_runs, dtype=np.uint64)
    for i in range(RUN_WORDS):
        runs_N = runs_N * np.uint64(0x100000001B3) ^ words_N[i : i + n_runs]
    runs_N = (runs_N ^ runs_N >> np.uint64(31)) * np.uint64(0xBF58476D1CE4E5B9)
    runs_N ^= runs_N >> np.uint64(29)
    sampled = runs_N < np.uint64((1 << 64) // SAMPLE_ONE_IN)
    return Sketch(np.unique(runs_N[sampled]), len(words_N))


def choose_editions(sketches: Sequence[Sketch]) -> dict[int, tuple[int, float]]:
    """Return text -> (text kept instead, share contained) for every text to drop.

    The text with more words is kept, so a truncated edition gives way to a whole one; of equal
    lengths the first.
    """
    shared = _shared_runs(sketches)
    by_length = sorted(range(len(sketches)), key=lambda i: (-sketches[i].n_words, i))
    place = {text: number for number, text in enumerate(by_length)}
    neighbours: dict[int, list[tuple[int, int]]] = {}
    for (one, other), n_shared in shared.items():
        longer, shorter = sorted((one, other), key=place.__getitem__)
        neighbours.setdefault(shorter, []).append((longer, n_shared))
    dropped: dict[int, tuple[int, float]] = {}
    for text in by_length:
        kept = [(n, longer) for longer, n in neighbours.get(text, []) if longer not in dropped]
        n_shared, longer = max(kept, default=(0, -1), key=lambda pair: (pair[0], -pair[1]))
        share = n_shared / max(len(sketches[text].runs), 1)
        if share >= MIN_CONTAINED:
            dropped[text] = (longer, share)
    return dropped


def skeleton(word: str) -> str:
    """Return a lower-case word's consonants, those that old spelling mixes up made one."""
    return DOUBLED.sub(r"\1", word.translate(SILENT).translate(ALIKE))


@lru_cache(maxsize=1 << 17)
def _skeleton_hash(word: str) -> int | None:
    bones = skeleton(word)
    # CRC-32 spread over 64 bits: the same in every process, unlike hash().
    return zlib.crc32(bones.encode()) * 0x9E3779B97F4A7C15 & 0xFFFFFFFFFFFFFFFF if bones else None


def _shared_runs(sketches: Sequence[Sketch]) -> Counter[tuple[int, int]]:
    """Count the runs that two texts share, for each pair that shares any; too short texts apart."""
    long_enough = [i for i, s in enumerate(sketches) if len(s.runs) >= MIN_SAMPLED_RUNS]
    if not long_enough:
        return Counter()
    runs_N = np.concatenate([sketches[i].runs for i in long_enough])
    text_N = np.repeat(long_enough, [len(sketches[i].runs) for i in long_enough])
    order = np.argsort(runs_N, kind="stable")
    runs_N, text_N = runs_N[order], text_N[order]
    starts = np.flatnonzero(np.r_[True, runs_N[1:] != runs_N[:-1]])
    lengths = np.diff(np.r_[starts, len(runs_N)])
    shared: Counter[tuple[int, int]] = Counter()
    several = (lengths > 1) & (lengths <= MAX_TEXTS_WITH_RUN)
    for start, length in zip(starts[several], lengths[several], strict=True):
        texts = sorted(text_N[start : start + length].tolist())
        shared.update((a, b) for at, a in enumerate(texts) for b in texts[at + 1 :])
    return shared
