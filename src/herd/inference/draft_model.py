"""Guess with a small model of the same vocabulary: its likeliest tokens, one after another.

In: the tokens of sequences. Out: what the draft model would say next, greedily.
Never: the large model; the engine lets it check the guesses, so a bad draft costs time, not quality.

Speculative decoding (Leviathan et al. 2023; Chen et al. 2023) with a greedy draft: the guess is one
definite token, for which "take the sampled token, keep going while it equals the guess" is the
papers' rejection rule.
"""

from __future__ import annotations

from collections import OrderedDict
from collections.abc import Sequence

from herd.foundation import UserError
from herd.inference.block_pool import BlockPool, blocks_for
from herd.inference.runner import Chunk, Runner
from herd.inference.speculation import ProposalQuery
from herd.model import ModelConfig
from herd.tokenizer import Tokenizer

CATCH_UP_TOKENS = 512  # of one sequence in one run, as in the engine's chunked prefill


def check_draft(
    draft: ModelConfig,
    target: ModelConfig,
    *,
    draft_tokenizer: Tokenizer | None = None,
    target_tokenizer: Tokenizer | None = None,
) -> None:
    """Raise UserError unless both models mean the same by every token id."""
    if draft.vocab_size != target.vocab_size:
        raise UserError(
            f"the draft model has {draft.vocab_size:,} token ids, the model {target.vocab_size:,}: "
            "take a draft model of the same family, with the same tokenizer"
        )
    if draft_tokenizer is None or target_tokenizer is None:
        return
    if draft_tokenizer.fingerprint != target_tokenizer.fingerprint:
        raise UserError(
            "the draft model's tokenizer differs from the model's, so that its ids mean other "
            "text: take a draft model of the same family"
        )


class DraftModel:
    """A `Proposer` that runs a model of its own, with a paged cache of its own.

    All sequences of a step are read and continued together. When blocks run out, sequences that are
    not asked about now lose theirs, the one asked about longest ago first, and are read again later;
    where even that is not enough there is no proposal.
    """

    def __init__(self, runner: Runner, *, target: ModelConfig) -> None:
        """Raise UserError when the vocabularies differ. The runner's cache is this object's alone."""
        check_draft(runner.config, target)
        self._runner = runner
        self._pool = BlockPool(runner.n_blocks)
        self._sequences: OrderedDict[int, _DraftSequence] = OrderedDict()  # asked longest ago first

    @property
    def n_used_blocks(self) -> int:
        """Return how many blocks of the draft's cache are held."""
        return self._pool.n_used

    def propose(self, queries: Sequence[ProposalQuery]) -> list[list[int]]:
        """Return for each query `n_tokens` tokens; fewer where the draft's context or cache ends."""
        guesses: list[list[int]] = [[] for _ in queries]
        asked = {query.key for query in queries}
        going = []
        for query, guess in zip(queries, guesses, strict=True):
            sequence = self._sequences.setdefault(query.key, _DraftSequence())
            self._sequences.move_to_end(query.key)
            room = self._runner.config.max_context - len(query.tokens) + 1
            n = min(query.n_tokens, room)
            if n > 0 and self._reserve(sequence, len(query.tokens) + n - 1, asked):
                going.append(_Guessing(sequence, query.tokens, n, guess))
        try:
            self._catch_up(going)
            while going:
                self._guess_next(going)
                going = [one for one in going if len(one.guess) < one.n_tokens]
        except BaseException:
            # What a broken run has left in the cache is anybody's guess: read it all again.
            for query in queries:
                self._sequences[query.key].forget()
            raise
        return guesses

    def release(self, key: int) -> None:
        """Forget a sequence and free its blocks."""
        sequence = self._sequences.pop(key, None)
        if sequence is not None:
            self._pool.release_all(sequence.blocks)

    def _reserve(self, sequence: _DraftSequence, n_tokens: int, asked: set[int]) -> bool:
        """Give the sequence blocks for `n_tokens` tokens, or say that there are not enough."""
        n_needed = blocks_for(n_tokens) - len(sequence.blocks)
        for key in [key for key in self._sequences if key not in asked]:
            if self._pool.n_free >= n_needed:
                break
            self.release(key)
        if self._pool.n_free < n_needed:
            return False
        for _ in range(n_needed):
            block = self._pool.allocate()
            assert block is not None
            sequence.blocks.append(block)
        return True

    def _catch_up(self, going: Sequence[_Guessing]) -> None:
        """Read all but the last piece of what each sequence has not read yet."""
        for one in going:
            one.sequence.keep_common(one.tokens)
        while True:
            behind = [one for one in going if one.n_unread > CATCH_UP_TOKENS]
            if not behind:
                return
            self._runner.run([one.chunk(CATCH_UP_TOKENS, n_logits=0) for one in behind])
            for one in behind:
                one.mark_read(CATCH_UP_TOKENS)

    def _guess_next(self, going: Sequence[_Guessing]) -> None:
        chunks = [one.chunk(one.n_unread, n_logits=1) for one in going]
        for one, token in zip(going, self._runner.run(chunks).argmax(-1).tolist(), strict=True):
            one.mark_read(one.n_unread)
            one.guess.append(token)


class _DraftSequence:
    """Which tokens' keys and values lie in which blocks; `n_certain` of them are known to be right."""

    def __init__(self) -> None:
        self.blocks: list[int] = []
        self.cached: list[int] = []
        self.n_certain = 0

    def keep_common(self, tokens: Sequence[int]) -> None:
        """Forget what was guessed and came otherwise, and the last token: its logits are wanted."""
        most = min(len(self.cached), len(tokens) - 1)
        # A text that got shorter is another text: nothing of it is certain.
        n_same = min(self.n_certain, most) if self.n_certain <= len(tokens) else 0
        while n_same < most and self.cached[n_same] == tokens[n_same]:
            n_same += 1
        del self.cached[n_same:]
        self.n_certain = n_same

    def forget(self) -> None:
        """Read everything again next time."""
        self.cached.clear()
        self.n_certain = 0


class _Guessing:
    """A sequence in the middle of being guessed: its tokens, then the guesses so far."""

    def __init__(
        self, sequence: _DraftSequence, tokens: Sequence[int], n_tokens: int, guess: list[int]
    ) -> None:
        self.sequence = sequence
        self.tokens = tokens
        self.n_tokens = n_tokens
        self.guess = guess

    @property
    def n_unread(self) -> int:
        return len(self.tokens) + len(self.guess) - len(self.sequence.cached)

    def chunk(self, n: int, *, n_logits: int) -> Chunk:
        """Return the next n unread tokens."""
        start = len(self.sequence.cached)
        return Chunk(
            tokens=self._span(start, start + n),
            start=start,
            blocks=self.sequence.blocks,
            n_logits=n_logits,
        )

    def mark_read(self, n: int) -> None:
        start = len(self.sequence.cached)
        self.sequence.cached += self._span(start, start + n)

    def _span(self, start: int, stop: int) -> list[int]:
        known = len(self.tokens)
        guessed = self.guess[max(start - known, 0) : max(stop - known, 0)]
        return [*self.tokens[start:stop], *guessed]
