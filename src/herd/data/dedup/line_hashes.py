"""The lines of a text as 64-bit hashes, after ccNet's normalisation.

Lower case, digits made 0, punctuation and spaces taken out: 'Page 3 of 17.' and 'page 5 of 12' are one.
In: a text. Out: a hash for each line, NO_KEY for one without a letter or digit.
"""

import string

import numpy as np
from numpy.typing import NDArray

from herd.data.dedup.key_ranges import NO_KEY
from herd.data.word_hashes import span_hashes

DROPPED = (string.punctuation + " \t\r\f\v\0").encode()
DIGITS_TO_0 = bytes.maketrans(b"123456789", b"000000000")
BEYOND_ASCII = [
    character.encode() for character in "‘’“”„«»–—…·•‹›¡¿、。，：；！？（）\u00a0\u200b"
]
LINE_END = 10


def line_hashes(text: str, min_chars: int = 0) -> NDArray[np.uint64]:
    """Return the hash of each line; a line shorter than `min_chars` counts as empty."""
    plain = text.lower().encode("utf-8", "surrogatepass").translate(DIGITS_TO_0, DROPPED)
    if not plain.isascii():
        for character in BEYOND_ASCII:
            plain = plain.replace(character, b"")
    data = np.frombuffer(plain, dtype=np.uint8)
    breaks = np.flatnonzero(data == LINE_END)
    starts, ends = np.r_[0, breaks + 1], np.r_[breaks, data.size]
    hashes = np.zeros(starts.size, dtype=np.uint64)
    full = np.flatnonzero(ends > starts)
    hashes[full] = np.maximum(span_hashes(data, starts[full], ends[full]), 1)
    if min_chars:
        lengths = [len(line.strip()) for line in text.split("\n")]
        hashes[np.array(lengths) < min_chars] = NO_KEY
    return hashes
