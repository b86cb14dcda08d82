"""What concerns the run as a whole: loss, gradient norm, logits and sharpness.

In: the numbers that the caller knows of a step. Out: z-scores and reasons, so that causes other than
Adam's own state are told apart from it.
Source: z > 6 as in OLMo-core's skip-step; attention logits above 100 are unusual and above 1,000 cost
loss (Wortsman et al. 2023, arXiv 2309.14322); 38/eta from Cohen et al. 2022 (arXiv 2207.14484).
"""

import math
from dataclasses import dataclass
from typing import Any

from herd.stability.rolling_score import SPIKE_Z, RollingScore
from herd.stability.step_numbers import StepNumbers
from herd.stability.verdict import Level, Mechanism

ATTENTION_WATCH, ATTENTION_ALARM = 100.0, 1000.0
LOG_Z_WATCH = 20.0  # a softmax over any vocabulary starts near log(V), about 12 at most


@dataclass(frozen=True, kw_only=True, slots=True)
class RunSignals:
    """The run's own level, with reasons and mechanisms in the same order, and the z-scores."""

    level: Level
    reasons: tuple[str, ...]
    mechanisms: tuple[Mechanism, ...]
    loss_z: float | None
    grad_norm_z: float | None


class RunScores:
    """The recent past of loss and gradient norm."""

    def __init__(self) -> None:
        self._loss, self._grad_norm = RollingScore(), RollingScore()

    def judge(self, numbers: StepNumbers, *, explained: bool) -> RunSignals:
        """Return the run's signals; `explained` says that a tensor is in ALARM already."""
        loss_z = self._loss.score(numbers.loss_nats)
        grad_norm_z = self._grad_norm.score(numbers.grad_norm)
        found = [
            *_spike(numbers, loss_z, grad_norm_z, explained),
            *_logits(numbers),
            *_sharpness(numbers),
        ]
        return RunSignals(
            level=max((level for level, _, _ in found), key=lambda x: x.concern, default=Level.OK),
            reasons=tuple(reason for _, reason, _ in found),
            mechanisms=tuple(mechanism for _, _, mechanism in found if mechanism),
            loss_z=loss_z,
            grad_norm_z=grad_norm_z,
        )

    def state_dict(self) -> dict[str, Any]:
        """Return the windows, for a checkpoint."""
        return {"loss": self._loss.state_dict(), "grad_norm": self._grad_norm.state_dict()}

    def load_state_dict(self, state: dict[str, Any]) -> None:
        """Put back what `state_dict` returned."""
        self._loss.load_state_dict(state["loss"])
        self._grad_norm.load_state_dict(state["grad_norm"])


Finding = tuple[Level, str, Mechanism | None]


def _spike(
    numbers: StepNumbers, loss_z: float | None, grad_norm_z: float | None, explained: bool
) -> list[Finding]:
    found: list[Finding] = []
    for name, value, z in (
        ("loss", numbers.loss_nats, loss_z),
        ("gradient norm", numbers.grad_norm, grad_norm_z),
    ):
        if value is not None and not math.isfinite(value):
            found.append((Level.ALARM, f"{name} is {value}", Mechanism.NOT_FINITE))
        elif z is not None and z > SPIKE_Z:
            cause = None if explained else Mechanism.BAD_BATCH
            hint = "" if explained else ", though no update was out of order: look at the batch"
            reason = f"{name} {value:.4g} is {z:.1f} deviations above its last steps{hint}"
            found.append((Level.WATCH, reason, cause))
    return found


def _logits(numbers: StepNumbers) -> list[Finding]:
    found: list[Finding] = []
    largest, log_z = numbers.attention_logit_max, numbers.log_z
    if largest is not None and largest > ATTENTION_WATCH:
        level = Level.ALARM if largest > ATTENTION_ALARM else Level.WATCH
        reason = f"largest attention logit {largest:.4g}, above {ATTENTION_WATCH:g}: try QK-clip"
        found.append((level, reason, Mechanism.ATTENTION_LOGITS))
    if log_z is not None and abs(log_z) > LOG_Z_WATCH:
        reason = f"log Z of the output is {log_z:.3g}, beyond {LOG_Z_WATCH:g}: try z-loss"
        found.append((Level.WATCH, reason, Mechanism.OUTPUT_LOGITS))
    return found


def _sharpness(numbers: StepNumbers) -> list[Finding]:
    ratio = numbers.sharpness_ratio
    if ratio is None or ratio <= 1:
        return []
    reason = f"preconditioned sharpness at {ratio:.2f} of the edge of stability: lower the rate"
    return [(Level.WATCH, reason, Mechanism.OSCILLATION)]
