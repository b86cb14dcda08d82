"""Guess that a text goes on as it did the last time the same tokens stood in it; no model needed.

In: the tokens of sequences. Out: what followed the latest earlier place that ends alike.
Never: anybody else's text; a sequence is looked up in its own tokens only.

Prompt look-up decoding (Saxena 2023): strong where answers quote their prompt, as in summaries,
edits and code; elsewhere it seldom proposes, and then costs nothing.
"""

from __future__ import annotations

from collections.abc import Sequence

from herd.foundation import UserError
from herd.inference.speculation import ProposalQuery


class PromptLookup:
    """A `Proposer`. The longest match wins, `longest` tokens at most and `shortest` at least; of
    equally long ones the most recent.
    """

    def __init__(self, *, longest: int = 4, shortest: int = 2) -> None:
        """Raise UserError for lengths out of order. One token alone says little: 2 is the default."""
        if not 1 <= shortest <= longest:
            raise UserError(
                f"look-up matches {shortest} to {longest} tokens: give 1 or more, the longest last"
            )
        self._sizes = range(longest, shortest - 1, -1)
        self._indexes: dict[int, NgramIndex] = {}

    def propose(self, queries: Sequence[ProposalQuery]) -> list[list[int]]:
        """Return for each query `n_tokens` tokens, or none where nothing matches."""
        return [self._propose(query) for query in queries]

    def release(self, key: int) -> None:
        """Forget a sequence."""
        self._indexes.pop(key, None)

    def _propose(self, query: ProposalQuery) -> list[int]:
        index = self._indexes.get(query.key)
        if index is None or index.n_tokens > len(query.tokens):
            index = self._indexes[query.key] = NgramIndex(self._sizes)
        index.extend(query.tokens)
        start = index.find(query.tokens)
        return continue_from(query.tokens, start, query.n_tokens) if start is not None else []


class NgramIndex:
    """Where each run of n tokens stood last, but for the run that ends the text: that is sought.

    Grows with the text: a token costs one entry for each n, however long the text is.
    """

    def __init__(self, sizes: Sequence[int]) -> None:
        self._next_of: dict[int, dict[tuple[int, ...], int]] = {size: {} for size in sizes}
        self.n_tokens = 0  # taken in

    def extend(self, tokens: Sequence[int]) -> None:
        """Take in the runs that end before the last token and were not yet known."""
        # Of a run that was the last one once, only now is there anything that follows it.
        for stop in range(max(self.n_tokens, 1), len(tokens)):
            for size, next_of in self._next_of.items():
                if stop >= size:
                    next_of[tuple(tokens[stop - size : stop])] = stop
        self.n_tokens = len(tokens)

    def find(self, tokens: Sequence[int]) -> int | None:
        """Return the place after the latest earlier run that equals the text's end, longest first."""
        for size, next_of in self._next_of.items():
            if len(tokens) > size:
                place = next_of.get(tuple(tokens[len(tokens) - size :]))
                if place is not None:
                    return place
        return None


def continue_from(tokens: Sequence[int], start: int, n: int) -> list[int]:
    """Return n tokens as they stand from `start`; past the end the copy reads itself.

    So a text that repeats itself is continued for as long as wanted, as in Lempel-Ziv 77.
    """
    copied = list(tokens[start : start + n])
    period = len(tokens) - start
    while len(copied) < n:
        copied.append(copied[-period])
    return copied
