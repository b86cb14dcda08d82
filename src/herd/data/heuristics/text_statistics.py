"""What the rules look at, computed once for each text: words, lines and their lengths, as arrays.

Words are what blank space separates, as in Gopher's rules. All measures are sums over arrays, since a
loop over words in Python is thirty times slower.
In: a text. Out: counts and fractions, each computed when it is first asked for.
"""

from functools import cached_property

import numpy as np
from numpy.typing import NDArray

from herd.data.word_hashes import Hashes, shingle_hashes, word_hashes

SPACES = (9, 10, 11, 12, 13, 32)
Flags = NDArray[np.bool_]
Counts = NDArray[np.int64]


class TextStatistics:
    """The measures of one text."""

    def __init__(self, text: str) -> None:
        self.text = text
        self.bytes_N = np.frombuffer(text.encode("utf-8", "surrogatepass"), dtype=np.uint8)

    @cached_property
    def words(self) -> tuple[Counts, Counts]:
        """Where each word begins and ends, in bytes."""
        inside = np.zeros(self.bytes_N.size + 2, dtype=np.bool_)
        inside[1:-1] = self._not_blank
        edges = np.flatnonzero(inside[1:] != inside[:-1])
        return edges[::2], edges[1::2]

    @property
    def n_words(self) -> int:
        """How many words there are."""
        return int(self.words[0].size)

    @cached_property
    def mean_word_chars(self) -> float:
        """Characters in a word, on average; 0 without words."""
        in_words = self._not_blank & ((self.bytes_N & 0xC0) != 0x80)
        return int(np.count_nonzero(in_words)) / self.n_words if self.n_words else 0.0

    @cached_property
    def alphabetic_fraction(self) -> float:
        """The share of words with a letter in them."""
        if not self.n_words:
            return 0.0
        sums = np.concatenate([[0], np.cumsum(_is_letter(self.bytes_N), dtype=np.int64)])
        starts, ends = self.words
        return float((sums[ends] > sums[starts]).mean())

    @cached_property
    def symbols_per_word(self) -> float:
        """Number signs and ellipses for each word (Gopher's symbols)."""
        n_symbols = self.text.count("#") + self.text.count("...") + self.text.count("…")
        return n_symbols / max(self.n_words, 1)

    @cached_property
    def digit_fraction(self) -> float:
        """The share of digits among what is not blank."""
        digits = (self.bytes_N >= ord("0")) & (self.bytes_N <= ord("9"))
        return float(digits.sum()) / max(int(self._not_blank.sum()), 1)

    @cached_property
    def capital_fraction(self) -> float:
        """The share of capitals among the letters of ASCII."""
        capitals = (self.bytes_N >= ord("A")) & (self.bytes_N <= ord("Z"))
        small = (self.bytes_N >= ord("a")) & (self.bytes_N <= ord("z"))
        return float(capitals.sum()) / max(int(capitals.sum() + small.sum()), 1)

    @cached_property
    def _not_blank(self) -> Flags:
        table = np.ones(256, dtype=np.bool_)
        table[list(SPACES)] = False
        flags: Flags = table.take(self.bytes_N)
        return flags

    @cached_property
    def lines(self) -> list[str]:
        """The lines that are not blank, without space around them."""
        return [line for line in map(str.strip, self.text.split("\n")) if line]

    @cached_property
    def paragraphs(self) -> list[str]:
        """What empty lines separate."""
        parts = self.text.split("\n\n")
        return [part for part in map(str.strip, parts) if part]

    @cached_property
    def hashed_words(self) -> Hashes:
        """The hashes of the words, here runs of letters and digits."""
        return word_hashes(self.text)

    def duplicate_fraction(self, n_words: int) -> float:
        """The share of words within runs of `n_words` that have occurred before in the text.

        It never grows with `n_words`. Gopher counts characters; here words weigh alike.
        """
        hashes = self.hashed_words
        if hashes.size <= n_words:
            return 0.0
        runs = shingle_hashes(hashes, n_words)
        _, firsts = np.unique(runs, return_index=True)
        again = np.ones(runs.size, dtype=np.bool_)
        again[firsts] = False
        begins = np.flatnonzero(again)
        covered = np.zeros(hashes.size + 1, dtype=np.int64)
        covered[begins] += 1
        covered[begins + n_words] -= 1
        return float((np.cumsum(covered[:-1]) > 0).mean())

    def most_duplicate_fraction(self, n_words: int) -> float:
        """A bound of `duplicate_fraction` from above, at the price of one sort."""
        hashes = self.hashed_words
        if hashes.size <= n_words:
            return 0.0
        runs = np.sort(shingle_hashes(hashes, n_words))
        return int((runs[1:] == runs[:-1]).sum()) * n_words / hashes.size

    def top_run_fraction(self, n_words: int) -> float:
        """The share of words that the most frequent run of `n_words` makes up."""
        hashes = self.hashed_words
        if hashes.size <= n_words:
            return 0.0
        most = self._top_count(n_words)
        return most * n_words / hashes.size if most > 1 else 0.0

    def _top_count(self, n_words: int) -> int:
        runs = np.sort(shingle_hashes(self.hashed_words, n_words))
        begins = np.flatnonzero(np.r_[True, runs[1:] != runs[:-1], True])
        return int(np.diff(begins).max())


def repeated_fractions(pieces: list[str]) -> tuple[float, float]:
    """Return the share of pieces (lines, paragraphs) that occurred before, and of their characters."""
    seen: set[str] = set()
    n_again = chars_again = 0
    for piece in pieces:
        if piece in seen:
            n_again += 1
            chars_again += len(piece)
        seen.add(piece)
    total = sum(map(len, pieces))
    return n_again / max(len(pieces), 1), chars_again / max(total, 1)


def _is_letter(bytes_N: NDArray[np.uint8]) -> Flags:
    """Letters of ASCII and whatever is beyond it."""
    folded = bytes_N | 0x20
    return ((folded >= ord("a")) & (folded <= ord("z"))) | (bytes_N >= 0x80)
