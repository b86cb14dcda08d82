"""How the next token of one request is drawn.

In: what a user asks for. Out: `SamplingConfig`, checked.
Never: logits; the sampler applies this to them.
"""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass, field

from herd.foundation import UserError


@dataclass(frozen=True, kw_only=True, slots=True)
class SamplingConfig:
    """How the next token is drawn. Defaults are those of Meta's `llama-models`.

    `temperature` 0 takes the likeliest token. `top_k` keeps that many (0: all), `top_p` the likeliest
    until their probability exceeds it (1: all), `min_p` those at least that fraction as likely as
    the likeliest (0: all). `repetition_penalty` divides positive and multiplies negative logits of
    tokens that stand in the prompt or the answer (CTRL; 1: off); `frequency_penalty` times the count
    and `presence_penalty` once are subtracted for tokens of the answer (OpenAI; 0: off).
    `logit_bias` is added to the logits of single tokens.
    """

    temperature: float = 0.6
    top_p: float = 0.9
    top_k: int = 0
    min_p: float = 0.0
    repetition_penalty: float = 1.0
    frequency_penalty: float = 0.0
    presence_penalty: float = 0.0
    logit_bias: Mapping[int, float] = field(default_factory=dict)

    def __post_init__(self) -> None:
        """Raise UserError for a value out of range."""
        if not (math.isfinite(self.temperature) and self.temperature >= 0.0):
            raise UserError(f"temperature is {self.temperature}: give 0 (greedy) or more")
        if not 0.0 < self.top_p <= 1.0:
            raise UserError(f"top_p is {self.top_p}: give more than 0 and at most 1")
        if self.top_k < 0:
            raise UserError(f"top_k is {self.top_k}: give 0 (all tokens) or more")
