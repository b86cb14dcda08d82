"""The lines of a text as 64-bit hashes, after ccNet's normalisation.

Lower case, digits made 0, punctuation and spaces taken out: 'Page 3 of 17.' and 'page 5 of 12' are one.
In: a text. Out: a hash for each line, EMPTY for one without a letter or digit.
"""

import hashlib
import string

import numpy as np
from numpy.typing import NDArray

EMPTY = np.uint64(0)
PUNCTUATION = string.punctuation + "‘’“”„«»–—…·•‹›¡¿、。，：；！？（）" + " \t\r\f\v\u00a0\u200b"
NORMALISE = str.maketrans({**dict.fromkeys(PUNCTUATION), **dict.fromkeys("123456789", "0")})


def line_hashes(text: str, min_chars: int = 0) -> NDArray[np.uint64]:
    """Return the hash of each line; a line shorter than `min_chars` counts as empty."""
    normal = text.lower().translate(NORMALISE).split("\n")
    hashes = [_hash(line) if line else 0 for line in normal]
    if min_chars:
        lines = text.split("\n")
        pairs = zip(hashes, lines, strict=True)
        hashes = [one if len(line.strip()) >= min_chars else 0 for one, line in pairs]
    return np.array(hashes, dtype=np.uint64)


def _hash(line: str) -> int:
    data = line.encode("utf-8", "surrogatepass")
    return int.from_bytes(hashlib.blake2b(data, digest_size=8).digest(), "big") or 1
