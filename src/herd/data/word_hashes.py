"""A text as hashed words, and as shingles: runs of neighbouring words, which near-duplicates share.

Words are runs of letters, digits and anything beyond ASCII, in lower case; a text without spaces (Thai,
Chinese) is taken character by character. All of it is arithmetic on the bytes of the text: a word's hash
is a difference of prefix sums, so that no word is ever cut out.
In: a text. Out: 64-bit hashes, the same in every process.
"""

from functools import lru_cache

import numpy as np
from numpy.typing import NDArray

Hashes = NDArray[np.uint64]
Bytes = NDArray[np.uint8]
Places = NDArray[np.int64]
BASE = 0x9E3779B97F4A7C15  # odd, so that it has an inverse modulo 2^64
MIX_1, MIX_2 = np.uint64(0xBF58476D1CE4E5B9), np.uint64(0x94D049BB133111EB)
MODULUS = 1 << 64
BLOCK_BYTES = 1 << 20
# Longer words on average than this, and the language puts no spaces between them.
MAX_MEAN_WORD_BYTES = 24
ASCII = bytes(range(128))
MIN_BYTES_PER_BEYOND = 8  # of text that has little beyond ASCII


def word_hashes(text: str) -> Hashes:
    """Return the hash of each word, in order."""
    data = np.frombuffer(lower_bytes(text), dtype=np.uint8)
    return span_hashes(data, *word_spans(data))


def lower_bytes(text: str) -> bytes:
    """Return `text.lower()` in UTF-8, lone surrogates included."""
    data = text.encode("utf-8", "surrogatepass")
    beyond = data.translate(None, ASCII)
    if len(beyond) * MIN_BYTES_PER_BEYOND <= len(data):
        # Lowering bytes is four times as fast, and the same if nothing beyond ASCII has two cases.
        characters = beyond.decode("utf-8", "surrogatepass")
        if characters.lower() == characters:
            return data.lower()
    return text.lower().encode("utf-8", "surrogatepass")


def word_spans(data: Bytes) -> tuple[Places, Places]:
    """Return where each word of UTF-8 bytes begins and ends, in order; both empty without words."""
    starts, ends = spans_between_spaces(data)
    if starts.size and data.size > MAX_MEAN_WORD_BYTES * starts.size:
        starts, ends = _characters(data)
    return starts, ends


def span_hashes(data: Bytes, starts: Places, ends: Places) -> Hashes:
    """Return the hash of each span data[start:end]; the spans lie in order."""
    blocks = [np.empty(0, dtype=np.uint64)]
    first = 0
    while first < starts.size:  # blocks end between spans, so that the powers stay few
        limit = int(starts[first]) + BLOCK_BYTES
        last = max(int(np.searchsorted(ends, limit, side="right")), first + 1)
        blocks.append(_hash_block(data, starts[first:last], ends[first:last]))
        first = last
    return np.concatenate(blocks)


def shingle_hashes(words: Hashes, n_words: int) -> Hashes:
    """Return the hash of each run of `n_words` words; a shorter text is one shingle, none if empty."""
    if not words.size:
        return words
    n_words = min(n_words, words.size)
    n_shingles = words.size - n_words + 1
    mixed = np.full(n_shingles, n_words, dtype=np.uint64)
    for i in range(n_words):
        mixed ^= words[i : i + n_shingles]
        mixed *= MIX_1
        mixed ^= mixed >> np.uint64(29)
    return mixed


def run_hashes(words: Hashes, n_words: int) -> Hashes:
    """Return the hash of each run of exactly `n_words` words, shape [words - n_words + 1], or none.

    Other values than shingle_hashes has, in about log2(n_words) steps: runs of 1, 2, 4, ... are joined.
    """
    n_runs = words.size - n_words + 1
    if n_runs <= 0:
        return np.empty(0, dtype=np.uint64)
    hashes, power, length = words, 1, 0
    joined: Hashes | None = None
    while True:
        if n_words & power:
            more = hashes[length : length + n_runs]
            joined = more if joined is None else _join(joined, more)
            length += power
        if length == n_words and joined is not None:
            return joined
        hashes = _join(hashes[:-power], hashes[power:])
        power *= 2


def _join(first: Hashes, second: Hashes) -> Hashes:
    mixed: Hashes = first * MIX_1
    shifted = mixed >> np.uint64(29)
    mixed ^= shifted
    mixed += second
    mixed *= MIX_2
    np.right_shift(mixed, np.uint64(32), out=shifted)
    mixed ^= shifted
    return mixed


def spans_between_spaces(data: Bytes) -> tuple[Places, Places]:
    """Return where each run of word bytes begins and ends, whatever the language."""
    inside = np.zeros(data.size + 2, dtype=np.bool_)
    inside[1:-1] = np.frombuffer(data.tobytes().translate(_word_byte_table()), dtype=np.bool_)
    edges = np.flatnonzero(inside[1:] != inside[:-1])
    return edges[::2], edges[1::2]


def _characters(data: Bytes) -> tuple[Places, Places]:
    """Every character that belongs to a word, by the first byte of its UTF-8."""
    begins = np.flatnonzero((data & 0xC0) != 0x80)
    ends = np.append(begins[1:], data.size)
    kept = _is_word_byte()[data[begins]]
    return begins[kept], ends[kept]


def _hash_block(data: Bytes, starts: Places, ends: Places) -> Hashes:
    begin, end = int(starts[0]), int(ends[-1])
    powers, inverses = _powers(max(end - begin, BLOCK_BYTES))
    sums = np.zeros(end - begin + 1, dtype=np.uint64)
    terms = sums[1:]
    np.add(data[begin:end], np.uint64(1), out=terms)
    terms *= powers[: end - begin]
    np.cumsum(terms, out=terms)
    starts, ends = starts - begin, ends - begin
    spans: Hashes = sums.take(ends)
    spans -= sums.take(starts)
    spans *= inverses.take(starts)
    spans ^= spans >> np.uint64(31)
    spans *= MIX_2
    return spans


@lru_cache(maxsize=1)
def _is_word_byte() -> NDArray[np.bool_]:
    table = np.array([byte >= 0x80 or chr(byte).isalnum() for byte in range(256)])
    return table


@lru_cache(maxsize=1)
def _word_byte_table() -> bytes:
    return _is_word_byte().tobytes()


@lru_cache(maxsize=4)
def _powers(n: int) -> tuple[Hashes, Hashes]:
    """The first powers of BASE and of its inverse, modulo 2^64."""

    def powers_of(base: int) -> Hashes:
        factors = np.full(n + 1, base, dtype=np.uint64)
        factors[0] = 1
        return np.cumprod(factors, dtype=np.uint64)

    return powers_of(BASE), powers_of(pow(BASE, -1, MODULUS))
