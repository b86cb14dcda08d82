"""Which words of a text lie in an 8-gram that was seen elsewhere (Llama 3, section 5.1.4).

An example's score is the share of its tokens that lie in an 8-gram seen in the corpus. Tokens here are
words: runs of letters, digits and anything beyond ASCII but typographic punctuation, in lower case;
characters where a language has no spaces. A text of fewer words than a gram has no gram, so none seen.
In: texts, hashes of grams. Out: marks, shares. Never: a gram across two texts.
"""

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from herd.data.word_hashes import (
    MAX_MEAN_WORD_BYTES,
    Bytes,
    Hashes,
    Places,
    lower_bytes,
    run_hashes,
    span_hashes,
    spans_between_spaces,
    word_spans,
)
from herd.foundation import UserError

N_WORDS, MOST_WORDS = 8, 1_000
# U+2000 to U+203F in UTF-8: dashes, curly quotes, dots. Editions differ in them.
TYPOGRAPHY = b"\xe2\x80"
SPACE = 0x20


def check_n_words(name: str, n_words: int) -> None:
    """Raise UserError, naming the setting, unless a gram of so many words can be looked for."""
    if not 1 <= n_words <= MOST_WORDS:
        raise UserError(f"{name} is {n_words}; it must be 1 to {MOST_WORDS}")


def words_of(text: str) -> Hashes:
    """Return the hash of each word of a text, in order, shape [words]."""
    data = _plain(lower_bytes(text))
    return span_hashes(data, *word_spans(data))


def words_of_many(texts: Sequence[str]) -> tuple[Hashes, Places]:
    """Return the words of texts end to end, and where each text begins in them, and the end.

    The same as words_of each, in fewer steps, which is what short texts are slow by.
    """
    pieces = [lower_bytes(text) for text in texts]
    sizes = np.array([len(piece) for piece in pieces], dtype=np.int64)
    data = _plain(b"\n".join(pieces))
    starts, ends = spans_between_spaces(data)
    offsets: Places = np.searchsorted(starts, np.cumsum(np.r_[0, sizes + 1]))
    counts = np.diff(offsets)
    if ((sizes > MAX_MEAN_WORD_BYTES * counts) & (counts > 0)).any():  # no spaces: one by one
        words = [words_of(text) for text in texts]
        offsets = np.cumsum(np.array([0, *(one.size for one in words)]))
        return np.concatenate(words), offsets
    return span_hashes(data, starts, ends), offsets


def _plain(lower: bytes) -> Bytes:
    data = np.frombuffer(lower, dtype=np.uint8)
    if TYPOGRAPHY in lower:
        data = data.copy()
        leads = np.flatnonzero(data == TYPOGRAPHY[0])
        leads = leads[data[leads + 1] == TYPOGRAPHY[1]]
        for offset in range(3):
            data[leads + offset] = SPACE
    return data


def grams_of(words: Hashes, n_words: int = N_WORDS) -> Hashes:
    """Return the hash of each gram, shape [words - n_words + 1]; none if there are fewer words."""
    return run_hashes(words, n_words)


def within_texts(places: Places, offsets: Places, n_words: int) -> NDArray[np.bool_]:
    """Return which grams, by their first words, lie in one text: `offsets` is from words_of_many."""
    ends = offsets[np.searchsorted(offsets, places, side="right")]
    inside: NDArray[np.bool_] = places + n_words <= ends
    return inside


def covered_words(places: Places, n_all_words: int, n_words: int = N_WORDS) -> NDArray[np.bool_]:
    """Return which of `n_all_words` words lie in one of the grams that begin at `places`."""
    depth = np.zeros(n_all_words + 1, dtype=np.int64)
    np.add.at(depth, places, 1)
    np.add.at(depth, places + n_words, -1)
    covered: NDArray[np.bool_] = np.cumsum(depth[:-1]) > 0
    return covered


def is_among(grams: Hashes, seen: Hashes) -> NDArray[np.bool_]:
    """Return which grams are among the seen ones, which are sorted."""
    if not seen.size:
        return np.zeros(grams.size, dtype=np.bool_)
    at = np.minimum(np.searchsorted(seen, grams), seen.size - 1)
    among: NDArray[np.bool_] = seen[at] == grams
    return among


def example_score(text: str, seen: Hashes, n_words: int = N_WORDS) -> float:
    """Return the share of an example's words, 0 to 1, that lie in a seen gram (sorted hashes).

    Llama 3, section 5.1.4: an example counts as contaminated from a score of T_D on.
    """
    words = words_of(text)
    grams = grams_of(words, n_words)
    if not grams.size:
        return 0.0
    places = np.flatnonzero(is_among(grams, seen))
    return float(covered_words(places, words.size, n_words).mean())
