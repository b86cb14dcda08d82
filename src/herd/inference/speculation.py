"""What the engine asks of whoever guesses the next tokens, so that one step may yield several.

In: the tokens of sequences so far. Out: proposals, which the engine checks against the model.
Never: randomness; a proposal is a definite token, so that checking it keeps the distribution.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import NamedTuple, Protocol

from herd.inference.sampled_sequence import SampledSequence
from herd.inference.sequence import TokenSequence


class ProposalQuery(NamedTuple):
    """A sequence about to be continued: what comes after `tokens`, up to `n_tokens` of it?

    `key` names the sequence from step to step. `tokens` is the engine's own list: all tokens of
    prompt and answer; it grows, and must be neither changed nor kept.
    """

    key: int
    tokens: Sequence[int]
    n_tokens: int


class Proposer(Protocol):
    """Guesses. All sequences of a step are asked about at once, so that a draft model can batch."""

    def propose(self, queries: Sequence[ProposalQuery]) -> list[list[int]]:
        """Return for each query 0 to `n_tokens` token ids, likeliest course first to last."""
        ...

    def release(self, key: int) -> None:
        """Forget a sequence: it has ended. The key may never have been asked about."""
        ...


def guess_ahead(
    proposer: Proposer, sequences: Sequence[TokenSequence], *, n_tokens: int, vocab_size: int
) -> None:
    """Set the proposals of all sequences of which the next step could bring several tokens."""
    asked = [s for s in sequences if isinstance(s, SampledSequence) and s.may_be_guessed]
    queries = [ProposalQuery(s.key, s.tokens, min(n_tokens, s.n_left - 1)) for s in asked]
    if not queries:
        return
    for sequence, query, ids in zip(asked, queries, proposer.propose(queries), strict=True):
        sequence.proposals = _known(ids[: query.n_tokens], vocab_size)


def _known(ids: list[int], vocab_size: int) -> list[int]:
    """Return the ids before the first that the model does not know; a draft model may know more."""
    return next((ids[:i] for i, each in enumerate(ids) if not 0 <= each < vocab_size), ids)
