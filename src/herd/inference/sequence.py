"""One sequence of tokens on its way through the model: what is known, computed, and kept where.

In: tokens, one after another. Out: chunks for a runner, content hashes of full blocks.
Never: drawing tokens (`sampled_sequence.py`) or scoring them (`scored_sequence.py`); the books of
the blocks, which the scheduler keeps.
"""

from __future__ import annotations

from collections.abc import Sequence

from herd.inference.block_pool import block_hash, root_hash
from herd.inference.paged_cache import BLOCK_TOKENS
from herd.inference.request import FinishReason, Output
from herd.inference.runner import Chunk


class TokenSequence:
    """`tokens` are known, keys and values of the first `n_computed` of them lie in `blocks`.

    `proposals` are guesses at the next tokens, to be checked in the next step. `n_slots` is for how
    many running sequences it stands: more than one before a prompt's samples part. The first
    `n_published` blocks are known to the pool by their content.
    """

    def __init__(
        self, *, key: int, ticket: int, sample: int, tokens: Sequence[int], salt: str
    ) -> None:
        self.key = key
        self.ticket = ticket
        self.sample = sample
        self.tokens = list(tokens)
        self.blocks: list[int] = []
        self.proposals: list[int] = []
        self.n_computed = 0
        self.n_published = 0
        self.n_cached_tokens = 0  # of the prompt, when it first ran
        self.has_run = False
        self.n_slots = 1
        self.is_running = False
        self._salt = salt
        self._hashes: list[bytes] = []

    @property
    def first_wanted(self) -> int:
        """Return the first position whose logits are wanted, hence have to be computed."""
        return len(self.tokens) - 1

    @property
    def n_uncomputed(self) -> int:
        """Return how many known tokens have to be computed; 1 in decoding."""
        return len(self.tokens) - self.n_computed

    def hashes(self, n_blocks: int) -> list[bytes]:
        """Return the content hashes of the first `n_blocks` blocks, all of them full."""
        for block in range(len(self._hashes), n_blocks):
            parent = self._hashes[-1] if block else root_hash(self._salt)
            first = block * BLOCK_TOKENS
            self._hashes.append(block_hash(parent, self.tokens[first : first + BLOCK_TOKENS]))
        return self._hashes[:n_blocks]

    def chunk(self, n_tokens: int) -> Chunk:
        """Return the next `n_tokens` tokens, known ones first and proposals after them."""
        start = self.n_computed
        stop = start + n_tokens
        tokens = self.tokens[start:stop]
        n_proposed = n_tokens - len(tokens)
        if n_proposed:
            tokens += self.proposals[:n_proposed]
        n_logits = max(0, stop - max(start, self.first_wanted))
        return Chunk(tokens=tokens, start=start, blocks=self.blocks, n_logits=n_logits)

    def end(self, reason: FinishReason, *, error: str = "") -> Output:
        """Return the last output, without a token."""
        return Output(
            self.ticket, self.sample, finish_reason=reason, error=error,
            n_cached_tokens=self.n_cached_tokens,
        )  # fmt: skip
