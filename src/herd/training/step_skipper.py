"""Skip step in the loop: decided from loss and gradient norm, before the optimizer acts.

In: a step's loss and gradient norm. Out: a reason to leave the step out, and a line in the log.
Weights, moments and the count of optimizer steps stay; the run's step, tokens and data move on.
Never: an endless row of skipped steps. A rise that stays enters the rule's window; numbers that are
not finite for `MOST_NONFINITE_STEPS` in a row end the run as they would have at once.
"""

import math
from collections.abc import Callable
from typing import Any

import torch

from herd.stability import SkipStep

MOST_NONFINITE_STEPS = 10


class StepSkipper:
    """The rule, told of every step, and a part of the checkpoint."""

    def __init__(self, rule: SkipStep, log: Callable[[dict[str, Any]], None]) -> None:
        self._rule = rule
        self._log = log
        self._nonfinite_steps = 0

    def reason(self, step: int, loss_nats: float, grad_norm: float) -> str:
        """Return why step number `step` is left out, empty if it is not."""
        value_2 = torch.tensor([loss_nats, grad_norm], dtype=torch.float64)
        applied = bool(self._rule.judge(value_2, torch.tensor([True, True])))
        is_finite = math.isfinite(loss_nats) and math.isfinite(grad_norm)
        self._nonfinite_steps = 0 if is_finite else self._nonfinite_steps + 1
        if applied or self._nonfinite_steps > MOST_NONFINITE_STEPS:
            return ""
        why = (
            f"more than {self._rule.config.sigmas:g} deviations high" if is_finite else "not finite"
        )
        reason = f"loss {loss_nats:.4g} or gradient norm {grad_norm:.4g} is {why}"
        self._log(
            {
                "step": step,
                "intervention": self._rule.name,
                "what": f"step {step} skipped: {reason}; weights and moments unchanged",
                "before": {"loss_nats": _jsonable(loss_nats), "grad_norm": _jsonable(grad_norm)},
                "after": {"applied": 0.0},
                "undone": False,
            }
        )
        return reason

    def state_dict(self) -> dict[str, Any]:
        """Return the rule's window and the row of steps that were not finite."""
        return {"rule": self._rule.state_dict(), "nonfinite_steps": self._nonfinite_steps}

    def load_state_dict(self, state: dict[str, Any]) -> None:
        """Put back what `state_dict` returned."""
        self._rule.load_state_dict(state["rule"])
        self._nonfinite_steps = state["nonfinite_steps"]


def _jsonable(value: float) -> float | str:
    return value if math.isfinite(value) else str(value)
