"""The lines of a text as 64-bit hashes, after ccNet's normalisation.

Lower case, digits made 0, punctuation and spaces taken out: 'Page 3 of 17.' and 'page 5 of 12' are one.
In: a text. Out: a hash for each line, NO_KEY for one without a letter or digit.
"""

import string
from functools import lru_cache

import numpy as np
from numpy.typing import NDArray

from herd.data.dedup.key_ranges import NO_KEY
from herd.data.word_hashes import lower_bytes, span_hashes

DROPPED = (string.punctuation + " \t\r\f\v\0").encode()
DIGITS_TO_0 = bytes.maketrans(b"123456789", b"000000000")
BEYOND_ASCII = "‘’“”„«»–—…·•‹›¡¿、。，：；！？（）\u00a0\u200b"
LINE_END = 10


def line_hashes(text: str, min_chars: int = 0) -> NDArray[np.uint64]:
    """Return the hash of each line; a line shorter than `min_chars` counts as empty."""
    plain = lower_bytes(text).translate(DIGITS_TO_0, DROPPED)
    data = np.frombuffer(plain, dtype=np.uint8)
    if not plain.isascii():
        data = _without_marks(data)
    breaks = np.flatnonzero(data == LINE_END)
    starts, ends = np.r_[0, breaks + 1], np.r_[breaks, data.size]
    hashes = np.zeros(starts.size, dtype=np.uint64)
    full = np.flatnonzero(ends > starts)
    hashes[full] = np.maximum(span_hashes(data, starts[full], ends[full]), 1)
    if min_chars:
        lengths = [len(line.strip()) for line in text.split("\n")]
        hashes[np.array(lengths) < min_chars] = NO_KEY
    return hashes


def _without_marks(data: NDArray[np.uint8]) -> NDArray[np.uint8]:
    """Take out the marks beyond ASCII, all in one pass, found by their first bytes."""
    kept = np.ones(data.size, dtype=np.bool_)
    for lead, is_mark in _marks().items():
        n_bytes = 2 if lead < 0xE0 else 3
        at = np.flatnonzero(data == lead)
        at = at[at + n_bytes <= data.size]
        rest = data.take(at + 1).astype(np.int64) << 8
        if n_bytes == 3:
            rest |= data.take(at + 2)
        at = at[is_mark.take(rest)]
        for i in range(n_bytes):
            kept[at + i] = False
    return data[kept]


@lru_cache(maxsize=1)
def _marks() -> dict[int, NDArray[np.bool_]]:
    """For each first byte of a mark, which two bytes after it make one (of two-byte marks: and 0)."""
    marks: dict[int, NDArray[np.bool_]] = {}
    for character in BEYOND_ASCII:
        lead, *rest = character.encode()
        table = marks.setdefault(lead, np.zeros(1 << 16, dtype=np.bool_))
        table[rest[0] << 8 | (rest[1] if len(rest) > 1 else 0)] = True
    return marks
