"""Which words of a text stand in a run that stood before in the same text.

Words are pushed on a stack. When the last `min_words` of it are the same as an earlier run that ends
before they begin, they are taken off again, and what follows is left out for as long as it goes on as
the earlier run does. So the stack never holds a run twice, words that meet where others went included:
what is left has nothing to take out. A word is pushed once and taken off at most once: linear time.
In: words with their hashes. Out: which of them stay. Never: words told the same by their hashes alone.
"""

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from herd.data.word_hashes import Hashes, run_hashes

# Powers modulo 2^64 would make Thue-Morse sequences collide, whatever the base; a prime does not.
PRIME = (1 << 61) - 1
BASE = 0x1D3F5A6B7C8D9E1


def may_repeat(words: Hashes, min_words: int) -> bool:
    """Whether some run of `min_words` words comes twice: false only if none does. n log n time."""
    if words.size < 2 * min_words:
        return False
    hashes = np.sort(run_hashes(words, min_words))
    return bool((hashes[1:] == hashes[:-1]).any())


def words_that_stay(
    words: Sequence[bytes], hashes: Sequence[int], min_words: int
) -> NDArray[np.bool_]:
    """Return which of the words stay; `hashes` has equal numbers for equal words."""
    stack = _Stack(min_words, len(words))
    source = -1  # where the run that is being left out goes on, in the stack
    for place, word in enumerate(words):
        if source >= 0:
            # Beyond the stack's end the source is the run left out, which begins as it did.
            at = source if source < len(stack.places) else stack.run_begin
            if words[stack.places[at]] == word:
                source = at + 1
                continue
            source = -1
        stack.push(place, hashes[place])
        begin = stack.earlier()
        if begin >= 0 and stack.is_same(words, begin):
            stack.take_off()
            stack.run_begin, source = begin, begin + min_words
    stays = np.zeros(len(words), dtype=np.bool_)
    stays[stack.places] = True
    return stays


class _Stack:
    """The places of the words that stay so far, and the first place of each run of them."""

    def __init__(self, min_words: int, n_words: int) -> None:
        self._min_words = min_words
        self._factor = pow(BASE, min_words, PRIME)
        self._sums = [0]  # of the words up to each place: one polynomial, read at BASE
        self._runs: list[int] = []  # the hash of the run that ends at each place, -1 for none
        self._first: dict[int, int] = {}  # where in the stack a run begins
        self.places: list[int] = []
        self.run_begin = 0

    def push(self, place: int, word: int) -> None:
        """Put a word on top, and remember the run that it ends if it is the first of its kind."""
        self.places.append(place)
        self._sums.append((self._sums[-1] * BASE + word) % PRIME)
        run, begin = -1, len(self.places) - self._min_words
        if begin >= 0:
            run = (self._sums[-1] - self._sums[begin] * self._factor) % PRIME
            self._first.setdefault(run, begin)
        self._runs.append(run)

    def earlier(self) -> int:
        """Return where the run on top stood before, whole and apart from it; -1 if nowhere."""
        begin = len(self.places) - self._min_words
        if begin < self._min_words:
            return -1
        first = self._first[self._runs[-1]]
        return first if first + self._min_words <= begin else -1

    def is_same(self, words: Sequence[bytes], begin: int) -> bool:
        """Whether the run on top and the one at `begin` are the same words."""
        top = self.places[-self._min_words :]
        before = self.places[begin : begin + self._min_words]
        return all(words[one] == words[other] for one, other in zip(top, before, strict=True))

    def take_off(self) -> None:
        """Take the run on top off, and with it the runs that end in it."""
        first_gone = len(self.places) - self._min_words
        for end in range(first_gone, len(self.places)):
            run, begin = self._runs[end], end - self._min_words + 1
            if begin >= 0 and self._first.get(run) == begin:
                del self._first[run]
        for column in (self.places, self._runs):
            del column[first_gone:]
        del self._sums[first_gone + 1 :]
