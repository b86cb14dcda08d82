"""A prompt with a given continuation, being read to see how likely the continuation is.

In: a `ScoreRequest`, logits. Out: its `Score`. Others that begin with the same tokens can follow it: they
take what they share from it, and read only the rest.
Never: drawing.
"""

from __future__ import annotations

import math
from collections.abc import Sequence

import torch

from herd.foundation import UserError
from herd.inference.generate import check_ids
from herd.inference.request import Output, Score, ScoreGroup, ScoreRequest
from herd.inference.sampler import NOT_NUMBERS
from herd.inference.sequence import TokenSequence
from herd.model import ModelConfig

# As transformers and lm-evaluation-harness do it: a logsumexp of its own is nearer to float64 by 2e-5 a
# token, and so differs from theirs by 2e-3 over a hundred. In slices: it holds a second copy of them.
SLICE_ROWS = 64


class ScoredSequence(TokenSequence):
    """`TokenSequence` of all but the last token, after which nothing is asked.

    `followers` wait until this one is read; the first `n_shared` tokens of each are also this one's.
    """

    def __init__(
        self, request: ScoreRequest, config: ModelConfig, *, key: int, ticket: int, sample: int = 0
    ) -> None:
        super().__init__(
            key=key,
            ticket=ticket,
            sample=sample,
            tokens=request.read_tokens,
            salt=request.cache_salt,
        )
        self.request = request
        self.followers: list[ScoredSequence] = []
        self.n_shared = 0
        self._vocab_size = request.vocab_size or config.vocab_size
        self._logprobs: list[float] = []
        self._is_greedy = True

    def lead(self, followers: Sequence[ScoredSequence]) -> None:
        """Let these wait for what this one reads."""
        self.followers = list(followers)
        self.n_slots = 1 + len(followers)
        for one in followers:
            one.n_shared = n_alike(self.tokens, one.tokens)

    @property
    def first_wanted(self) -> int:
        """Return the first position whose logits are still wanted, by this one or a follower."""
        shared = [one.first_unscored for one in self.followers if one.first_unscored < one.n_shared]
        return min([self.first_unscored, *shared])

    @property
    def first_unscored(self) -> int:
        """Return the position whose logits tell of the next token of the continuation."""
        return len(self.request.prompt) - 1 + len(self._logprobs)

    @property
    def is_scored(self) -> bool:
        """Return whether nothing is left to read."""
        return len(self._logprobs) == len(self.request.continuation)

    def take(self, logits_RV: torch.Tensor, start: int) -> Output | None:
        """Score by the logits after positions `start` and on; return the output once all are.

        Followers take what is theirs, too.
        """
        self._score(logits_RV, start, len(self.tokens))
        for one in self.followers:
            one._score(logits_RV, start, one.n_shared)
        return self.output() if self.is_scored or self._is_damaged else None

    def output(self) -> Output:
        """Return the score, or why there is none."""
        if self._is_damaged:
            return self.end("error", error=NOT_NUMBERS)
        score = Score(logprobs=tuple(self._logprobs), is_greedy=self._is_greedy)
        return self.end("stop")._replace(score=score)

    @property
    def _is_damaged(self) -> bool:
        return any(math.isnan(logprob) for logprob in self._logprobs)

    def _score(self, logits_RV: torch.Tensor, start: int, stop: int) -> None:
        """Score what the rows from `start` on tell of, of positions before `stop`."""
        first, last = self.first_unscored, min(start + len(logits_RV), stop)
        if first >= last:
            return
        wanted = self.request.continuation[len(self._logprobs) :][: last - first]
        logits_RV = logits_RV[first - start : last - start, : self._vocab_size]
        ids_R = torch.tensor(wanted, device=logits_RV.device)
        for at in range(0, len(ids_R), SLICE_ROWS):
            rows = slice(at, at + SLICE_ROWS)
            logprobs_RV = logits_RV[rows].log_softmax(-1)
            self._logprobs += logprobs_RV.gather(1, ids_R[rows, None])[:, 0].tolist()
        self._is_greedy = self._is_greedy and bool((logits_RV.argmax(1) == ids_R).all())


def n_alike(first: Sequence[int], second: Sequence[int]) -> int:
    """Return how many tokens two sequences have in common at their beginning."""
    n_most = min(len(first), len(second))
    if first[:n_most] == second[:n_most]:
        return n_most
    return next(i for i in range(n_most) if first[i] != second[i])


def n_tokens_scored(request: ScoreRequest | ScoreGroup, config: ModelConfig) -> int:
    """Return how many tokens are read at most. Raises UserError when they do not fit the context."""
    if isinstance(request, ScoreGroup):
        return max(n_tokens_scored(one, config) for one in request.members)
    n_tokens = len(request.prompt) + len(request.continuation) - 1
    if n_tokens > config.max_context:
        raise UserError(
            f"prompt and continuation have {n_tokens + 1:,} tokens, but the model reads "
            f"{config.max_context:,} and tells of one more: shorten them by "
            f"{n_tokens - config.max_context:,} or more"
        )
    check_ids(config, request.prompt + request.continuation)
    return n_tokens
