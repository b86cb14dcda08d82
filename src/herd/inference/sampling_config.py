"""How the next token of one request is drawn.

In: what a user asks for. Out: `SamplingConfig`, checked.
Never: logits; the sampler applies this to them.
"""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass, field
from numbers import Integral, Real

from herd.foundation import UserError

HOTTEST = 1e6  # hotter than that the likeliest tokens are equally likely in float32
LARGEST_BIAS = 100.0  # as at OpenAI: decides any draw, and leaves float32 exact


@dataclass(frozen=True, kw_only=True, slots=True)
class SamplingConfig:
    """How the next token is drawn. Defaults are those of Meta's `llama-models`.

    `temperature` 0 takes the likeliest token. `top_k` keeps that many (0: all), `top_p` the likeliest
    until their probability exceeds it (1: all), `min_p` those at least that fraction as likely as
    the likeliest (0: all). `repetition_penalty` divides positive and multiplies negative logits of
    tokens that stand in the prompt or the answer (CTRL; 1: off); `frequency_penalty` times the count
    and `presence_penalty` once are subtracted for tokens of the answer (OpenAI; 0: off).
    `logit_bias` is added to the logits of single tokens: -100 to 100, or -inf, which bans the token.
    Where they meet, they apply in this order: bias, penalties, temperature, top-k, top-p, min-p.
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
        """Raise UserError, naming the field, for a value out of range."""
        _check("temperature", self.temperature, 0.0, HOTTEST, "0 (greedy) to 1,000,000")
        _check("top_p", self.top_p, math.ulp(0.0), 1.0, "more than 0 and at most 1 (1: all tokens)")
        _check("min_p", self.min_p, 0.0, 1.0, "0 (all tokens) to 1 (only the likeliest)")
        _check("repetition_penalty", self.repetition_penalty, 0.01, 100.0, "0.01 to 100 (1: off)")
        for name in ("frequency_penalty", "presence_penalty"):
            _check(name, getattr(self, name), -2.0, 2.0, "-2 to 2 (0: off)")
        if not is_whole(self.top_k) or self.top_k < 0:
            raise UserError(f"top_k is {self.top_k!r}: give 0 (all tokens) or a whole number above")
        if not isinstance(self.logit_bias, Mapping):
            raise UserError(
                f"logit_bias is {self.logit_bias!r}: give a mapping from token ids to biases"
            )
        # A copy: what was checked is what is used, whatever the caller does to the mapping.
        object.__setattr__(self, "logit_bias", dict(self.logit_bias))
        for token, bias in self.logit_bias.items():
            if not is_whole(token) or token < 0:
                raise UserError(f"logit_bias names token {token!r}: give ids, whole numbers from 0")
            if bias != -math.inf:
                _check(
                    f"logit_bias of token {token}", bias, -LARGEST_BIAS, LARGEST_BIAS,
                    "-100 to 100, or -inf to ban the token",
                )  # fmt: skip

    @property
    def banned_ids(self) -> frozenset[int]:
        """Return the tokens that the bias rules out."""
        return frozenset(i for i, bias in self.logit_bias.items() if bias == -math.inf)


def is_whole(value: object) -> bool:
    """Say whether `value` is a whole number in type, too; True and 5.0 are not."""
    return isinstance(value, Integral) and not isinstance(value, bool)


def _check(name: str, value: float, least: float, most: float, wanted: str) -> None:
    # Written so that NaN, which compares false with everything, is refused.
    if isinstance(value, bool) or not isinstance(value, Real) or not least <= value <= most:
        raise UserError(f"{name} is {value!r:.60}: give {wanted}")
