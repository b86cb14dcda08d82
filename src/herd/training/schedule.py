"""The learning rate as a pure function of tokens seen.

In: a schedule whose lengths are tokens, and how many tokens came before. Out: a learning rate.
Never: a step number, so a ramp of the batch cannot stretch the warm-up or cut off the decay.
Source: Llama 2 paper, section 2.2; Llama 3 paper, section 3.4.1 (both: linear warm-up, cosine).
"""

import math
from dataclasses import dataclass
from enum import Enum

from herd.foundation import UserError


class Decay(Enum):
    """How the learning rate falls from its peak to its end."""

    COSINE = "cosine"
    LINEAR = "linear"
    CONSTANT = "constant"


@dataclass(frozen=True, kw_only=True, slots=True)
class ScheduleConfig:
    """Warm-up from zero to `peak_lr`, then decay to `final_lr_frac` of it.

    `decay_until_tokens` counts from the start of training, warm-up included; None means the end
    of the run. Beyond it the learning rate stays at its end value.
    """

    peak_lr: float
    warmup_tokens: int
    final_lr_frac: float
    decay: Decay = Decay.COSINE
    decay_until_tokens: int | None = None

    def __post_init__(self) -> None:
        """Check every field."""
        if not (math.isfinite(self.peak_lr) and self.peak_lr > 0):
            raise UserError(f"schedule.peak_lr must be above 0, not {self.peak_lr}")
        if self.warmup_tokens < 0:
            raise UserError(f"schedule.warmup_tokens must not be negative: {self.warmup_tokens}")
        if not 0 <= self.final_lr_frac <= 1:
            raise UserError(f"schedule.final_lr_frac must lie in 0..1, not {self.final_lr_frac}")
        if self.decay_until_tokens is not None and self.decay_until_tokens <= self.warmup_tokens:
            raise UserError(
                f"schedule.decay_until_tokens ({self.decay_until_tokens}) must be beyond "
                f"schedule.warmup_tokens ({self.warmup_tokens})"
            )


def learning_rate(config: ScheduleConfig, tokens: float, *, horizon_tokens: int) -> float:
    """Return the learning rate after `tokens` tokens of a run of `horizon_tokens`."""
    if tokens < config.warmup_tokens:
        return config.peak_lr * tokens / config.warmup_tokens
    end = config.decay_until_tokens or horizon_tokens
    span = max(end - config.warmup_tokens, 1)
    progress = min((tokens - config.warmup_tokens) / span, 1.0)
    remaining = _remaining(config.decay, progress)
    return config.peak_lr * (config.final_lr_frac + (1 - config.final_lr_frac) * remaining)


def step_learning_rate(
    config: ScheduleConfig, *, tokens_before: int, batch_tokens: int, horizon_tokens: int
) -> float:
    """Return the rate of one optimizer step: the schedule in the middle of the step's tokens.

    The start would waste the first step (rate 0) and the end the last one. The middle also makes
    the sum of rate x tokens the integral of the schedule, whatever the batch size.
    """
    return learning_rate(config, tokens_before + batch_tokens / 2, horizon_tokens=horizon_tokens)


def _remaining(decay: Decay, progress: float) -> float:
    """Return the fraction of the fall still to come, from 1 to 0."""
    if decay is Decay.COSINE:
        return 0.5 * (1 + math.cos(math.pi * progress))
    if decay is Decay.LINEAR:
        return 1 - progress
    return 1.0
