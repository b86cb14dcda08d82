"""The parcels of generation: what is asked for and what came of it.

In: nothing. Out: `Request`, `Completion`, `ScoreRequest`, `ScoreGroup`, `Score`, `Output`. Never: how any is
computed.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Literal, NamedTuple, Protocol

import torch

from herd.foundation import UserError
from herd.inference.request_checks import (
    MOST_TOP_LOGPROBS,
    check_count,
    check_lengths,
    check_seed,
    check_stops,
    check_vocabulary,
)
from herd.inference.sampling_config import SamplingConfig

FinishReason = Literal["stop", "length", "cancelled", "error"]


class TokenLogprob(NamedTuple):
    """A token and its natural log-probability at temperature 1, before anything is filtered."""

    id: int
    logprob: float


class ConstraintState(Protocol):
    """Where one answer stands in its grammar."""

    @property
    def finished(self) -> bool:
        """Whether the answer is complete as it stands: it may end here."""
        ...

    @property
    def must_stop(self) -> bool:
        """Whether nothing may follow."""
        ...

    def allowed_mask(self) -> torch.Tensor:
        """Return which tokens may come next, bool [V]; stop tokens where the answer may end."""
        ...

    def accept(self, token_id: int) -> None:
        """Go on by one allowed token."""
        ...


class CompiledConstraint(Protocol):
    """A grammar that answers have to follow; many answers may."""

    def start(self) -> ConstraintState:
        """Return the state of an answer of which nothing is written yet."""
        ...


@dataclass(frozen=True, kw_only=True, slots=True)
class Request:
    """Continue `prompt` by at most `max_new_tokens`, up to one of `stop_ids` or `stop` strings.

    Neither may come before `min_new_tokens`. `n_samples` continuations share the prompt; sample i
    draws from `seed + i`; `seed` None draws one from the system. `n_top_logprobs` likeliest tokens
    are reported beside each drawn one. `vocab_size` None means the model's; a smaller one keeps
    padding rows of the output matrix, which stand for no token, from being drawn. An answer that
    does not continue the prompt's text (`continues` False) begins with no space of its own.
    Requests of unlike `cache_salt` share no cached keys and values.
    """

    prompt: tuple[int, ...]
    max_new_tokens: int
    min_new_tokens: int = 0
    sampling: SamplingConfig = field(default_factory=SamplingConfig)
    seed: int | None = None
    n_samples: int = 1
    n_top_logprobs: int = 0
    stop_ids: frozenset[int] = frozenset()
    stop: tuple[str, ...] = ()
    vocab_size: int | None = None
    constraint: CompiledConstraint | None = None
    continues: bool = True
    cache_salt: str = ""

    def __post_init__(self) -> None:
        """Raise UserError for an empty prompt or settings that make no sense, alone or together."""
        if not self.prompt:
            raise UserError("the prompt is empty: give at least one token to continue")
        check_lengths(self.min_new_tokens, self.max_new_tokens)
        check_seed(self.seed, self.n_samples)
        check_count("n_top_logprobs", self.n_top_logprobs, least=0, most=MOST_TOP_LOGPROBS)
        check_stops(self.stop, self.stop_ids)
        banned_stop_ids = self.stop_ids if self.min_new_tokens else frozenset()
        check_vocabulary(self.vocab_size, self.sampling, banned_stop_ids)


@dataclass(frozen=True, kw_only=True, slots=True)
class ScoreRequest:
    """How likely is `continuation` after `prompt`? Both are token ids, neither empty."""

    prompt: tuple[int, ...]
    continuation: tuple[int, ...]
    vocab_size: int | None = None
    cache_salt: str = ""

    def __post_init__(self) -> None:
        """Raise UserError when either is empty."""
        if not self.prompt:
            raise UserError("the prompt is empty: give at least one token to continue")
        if not self.continuation:
            raise UserError("the continuation is empty: give at least one token to score")

    @property
    def read_tokens(self) -> tuple[int, ...]:
        """Return what has to be read: all but the last token, after which nothing is asked."""
        return self.prompt + self.continuation[:-1]


@dataclass(frozen=True, kw_only=True, slots=True)
class ScoreGroup:
    """Score requests whose tokens begin alike, token by token: what they share is read once.

    Each gives what it would alone, as the sample of its place in `members`.
    """

    members: tuple[ScoreRequest, ...]

    def __post_init__(self) -> None:
        """Raise UserError for an empty group or members that may not share."""
        if not self.members:
            raise UserError("the group is empty: give at least one request to score")
        if len({one.cache_salt for one in self.members}) > 1:
            raise UserError("requests of unlike cache_salt may share nothing: group them apart")


@dataclass(frozen=True, kw_only=True, slots=True)
class Score:
    """The natural log-probability of each token of a continuation, given all before it.

    `is_greedy`: every token is the likeliest in its place.
    """

    logprobs: tuple[float, ...]
    is_greedy: bool


@dataclass(frozen=True, kw_only=True, slots=True)
class Completion:
    """The tokens that followed, without the stop token, and why there are no more.

    `logprobs[i]` is the natural log-probability of `tokens[i]` at temperature 1, `top_logprobs[i]`
    the likeliest there, best first. `finish_reason` is "stop" when the model ended or a stop string
    came, "length" when the budget or the context did, "cancelled" when the caller did, "error" when
    this request failed, for the reason in `error`. Keys and values of `n_cached_tokens` of the prompt
    were there already.
    """

    tokens: tuple[int, ...]
    logprobs: tuple[float, ...]
    finish_reason: FinishReason
    top_logprobs: tuple[tuple[TokenLogprob, ...], ...] = ()
    text: str = ""
    error: str = ""
    n_cached_tokens: int = 0


class Output(NamedTuple):
    """What one step brought for one sample of a request.

    `id` is the new token, None when there is none (a stop token ended the answer, or it failed or
    was cancelled); `text` what became certain by it, where the engine has a tokenizer. With a
    `finish_reason` it is the sample's last; each `ScoreRequest` has one output, with its `score`.
    """

    ticket: int
    sample: int
    id: int | None = None
    logprob: float = 0.0
    top_logprobs: tuple[TokenLogprob, ...] = ()
    text: str = ""
    finish_reason: FinishReason | None = None
    error: str = ""
    score: Score | None = None
    n_cached_tokens: int = 0
