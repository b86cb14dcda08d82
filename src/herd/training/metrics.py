"""What one step measured, and how fast the run goes.

Out: `StepMetrics`, the record of a step in the metrics log; tokens per second over a short window
and the fraction of the machine's measured ceiling that they amount to (MFU).
Never: a data sheet's peak. The ceiling was measured on this machine, or there is no MFU.
"""

import time
from collections import deque
from dataclasses import dataclass
from typing import Any

from herd.foundation import to_dict

WINDOW_STEPS = 20  # long enough to be calm, short enough to show a stall


@dataclass(frozen=True, kw_only=True, slots=True)
class StepMetrics:
    """One optimizer step. `tokens` counts from the start of the run, the batch included."""

    step: int
    tokens: int
    loss_nats: float
    grad_norm: float
    learning_rate: float
    batch_tokens: int
    tokens_per_s: float
    mfu: float | None
    elapsed_s: float

    def as_record(self) -> dict[str, Any]:
        """Return the fields as a JSON-able record."""
        record: dict[str, Any] = to_dict(self)
        return record


class Speedometer:
    """Tokens per second over the last steps, as a rate and as a fraction of a ceiling."""

    def __init__(self, *, flops_per_token: float, ceiling_flops_per_s: float | None) -> None:
        self._flops_per_token = flops_per_token
        self._ceiling_flops_per_s = ceiling_flops_per_s
        self._steps: deque[tuple[int, float]] = deque(maxlen=WINDOW_STEPS)
        self._started_at = self._resumed_at = time.perf_counter()

    def skip_pause(self) -> None:
        """Leave out the time since the last step: validation or a checkpoint took it."""
        self._resumed_at = time.perf_counter()

    def count(self, tokens: int) -> None:
        """Note that a step over `tokens` tokens ended now."""
        now = time.perf_counter()
        self._steps.append((tokens, now - self._resumed_at))
        self._resumed_at = now

    @property
    def tokens_per_s(self) -> float:
        """The rate over the last steps."""
        tokens = sum(count for count, _ in self._steps)
        duration_s = sum(duration_s for _, duration_s in self._steps)
        return tokens / duration_s if duration_s > 0 else 0.0

    @property
    def mfu(self) -> float | None:
        """Model FLOP/s over the measured ceiling, None where no ceiling is known."""
        if not self._ceiling_flops_per_s:
            return None
        return self.tokens_per_s * self._flops_per_token / self._ceiling_flops_per_s

    @property
    def elapsed_s(self) -> float:
        """Seconds since this process began to train."""
        return time.perf_counter() - self._started_at
