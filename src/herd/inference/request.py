"""The parcels of generation: what is asked for and what came of it.

In: nothing. Out: `Request`, `Completion`. Never: text; both deal in token ids.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Literal

from herd.foundation import UserError
from herd.inference.sampler import SamplingConfig

FinishReason = Literal["stop", "length"]


@dataclass(frozen=True, kw_only=True, slots=True)
class Request:
    """Continue `prompt` by at most `max_new_tokens`, up to one of `stop_ids`.

    `vocab_size` None means the model's; a smaller one keeps padding rows of the output matrix,
    which stand for no token, from being drawn. `seed` None draws one from the system.
    """

    prompt: tuple[int, ...]
    max_new_tokens: int
    sampling: SamplingConfig = field(default_factory=SamplingConfig)
    seed: int | None = None
    stop_ids: frozenset[int] = frozenset()
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

    `logprobs[i]` is the natural log-probability of `tokens[i]` at temperature 1. `finish_reason` is
    "stop" when the model ended, "length" when the budget or the context did.
    """

    tokens: tuple[int, ...]
    logprobs: tuple[float, ...]
    finish_reason: FinishReason
