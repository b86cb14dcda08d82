"""The parcels of generation: what is asked for and what came of it.

In: nothing. Out: `Request`, `Completion`. Never: how either is computed.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Literal, NamedTuple

from herd.foundation import UserError
from herd.inference.sampling_config import SamplingConfig

FinishReason = Literal["stop", "length", "cancelled"]


class TokenLogprob(NamedTuple):
    """A token and its natural log-probability at temperature 1, before anything is filtered."""

    id: int
    logprob: float


@dataclass(frozen=True, kw_only=True, slots=True)
class Request:
    """Continue `prompt` by at most `max_new_tokens`, up to one of `stop_ids` or `stop` strings.

    Neither may come before `min_new_tokens`. `n_samples` continuations share the prompt; sample i
    draws from `seed + i`; `seed` None draws one from the system. `n_top_logprobs` likeliest tokens
    are reported beside each drawn one. `vocab_size` None means the model's; a smaller one keeps
    padding rows of the output matrix, which stand for no token, from being drawn.
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

    def __post_init__(self) -> None:
        """Raise UserError for an empty prompt or a negative budget."""
        if not self.prompt:
            raise UserError("the prompt is empty: give at least one token to continue")
        if self.max_new_tokens < 0:
            raise UserError(f"max_new_tokens is {self.max_new_tokens}: give 0 or more")


@dataclass(frozen=True, kw_only=True, slots=True)
class Completion:
    """The tokens that followed, without the stop token, and why there are no more.

    `logprobs[i]` is the natural log-probability of `tokens[i]` at temperature 1, `top_logprobs[i]`
    the likeliest there, best first. `finish_reason` is "stop" when the model ended or a stop string
    came, "length" when the budget or the context did, "cancelled" when the caller did.
    """

    tokens: tuple[int, ...]
    logprobs: tuple[float, ...]
    finish_reason: FinishReason
    top_logprobs: tuple[tuple[TokenLogprob, ...], ...] = ()
    text: str = ""
