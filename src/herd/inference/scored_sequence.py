"""A prompt with a given continuation, being read to see how likely the continuation is.

In: a `ScoreRequest`, logits. Out: its `Score`.
Never: drawing.
"""

from __future__ import annotations

import math

import torch

from herd.foundation import UserError
from herd.inference.generate import check_ids
from herd.inference.request import Output, Score, ScoreRequest
from herd.inference.sampler import NOT_NUMBERS
from herd.inference.sequence import TokenSequence
from herd.model import ModelConfig


class ScoredSequence(TokenSequence):
    """`TokenSequence` of all but the last token, after which nothing is asked."""

    def __init__(
        self, request: ScoreRequest, config: ModelConfig, *, key: int, ticket: int
    ) -> None:
        super().__init__(
            key=key,
            ticket=ticket,
            sample=0,
            tokens=request.prompt + request.continuation[:-1],
            salt=request.cache_salt,
        )
        self.request = request
        self._vocab_size = request.vocab_size or config.vocab_size
        self._logprobs: list[float] = []
        self._is_greedy = True

    @property
    def first_wanted(self) -> int:
        """Return the first position whose logits are still wanted."""
        return len(self.request.prompt) - 1 + len(self._logprobs)

    def take(self, logits_RV: torch.Tensor) -> Output | None:
        """Score the next R tokens of the continuation; return the output once all are."""
        first = len(self._logprobs)
        wanted = self.request.continuation[first : first + len(logits_RV)]
        logits_RV = logits_RV[:, : self._vocab_size]
        ids_R = torch.tensor(wanted, device=logits_RV.device)
        picked_R = logits_RV.gather(1, ids_R[:, None])[:, 0]
        # Not log_softmax: it would hold a second copy of all logits.
        self._logprobs += (picked_R - logits_RV.logsumexp(1)).tolist()
        self._is_greedy = self._is_greedy and bool((logits_RV.argmax(1) == ids_R).all())
        if any(math.isnan(logprob) for logprob in self._logprobs[first:]):
            return self.end("error", error=NOT_NUMBERS)
        if len(self._logprobs) < len(self.request.continuation):
            return None
        score = Score(logprobs=tuple(self._logprobs), is_greedy=self._is_greedy)
        return self.end("stop")._replace(score=score)


def n_tokens_scored(request: ScoreRequest, config: ModelConfig) -> int:
    """Return how many tokens are read. Raises UserError when they do not fit the context."""
    n_tokens = len(request.prompt) + len(request.continuation) - 1
    if n_tokens > config.max_context:
        raise UserError(
            f"prompt and continuation have {n_tokens + 1:,} tokens, but the model reads "
            f"{config.max_context:,} and tells of one more: shorten them by "
            f"{n_tokens - config.max_context:,} or more"
        )
    check_ids(config, request.prompt + request.continuation)
    return n_tokens
