"""Keep one fresh gradient from kicking a coordinate whose second moment has decayed.

In: v before and after the step. Out: max(v, g^2) where v was cold and g^2 stands far above it, so
that |u| = 1 - beta1 (0.1) instead of (1 - beta1)/sqrt(1 - beta2) (0.447 at 0.95, 3.16 at 0.999).
Never: a smaller v than AdamW's.
Source: ours, from the algebra of a single gradient after silence. Cold is v < (factor * epsilon)^2.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import torch
from torch import Tensor

from herd.foundation import UserError
from herd.stability.interventions.episode import Episode
from herd.stability.interventions.shard_sums import stacked
from herd.stability.interventions.stage import Stage, StepRun
from herd.stability.interventions.tensor_step import TensorStep


@dataclass(frozen=True, kw_only=True, slots=True)
class ColdGuardConfig:
    """Cold is sqrt(v) < `cold_epsilons` * epsilon; a gradient wakes if g^2 > `wake_ratio` * v.

    At the start every coordinate is cold; the guard waits `warmup_steps`.
    """

    cold_epsilons: float = 10.0
    wake_ratio: float = 100.0
    warmup_steps: int = 20

    def __post_init__(self) -> None:
        """Check every field."""
        if not self.cold_epsilons > 0 or not self.wake_ratio > 0:
            raise UserError(
                "cold_guard.cold_epsilons and cold_guard.wake_ratio must be above 0, not "
                f"{self.cold_epsilons} and {self.wake_ratio}"
            )
        if self.warmup_steps < 0:
            raise UserError(f"cold_guard.warmup_steps must not be negative: {self.warmup_steps}")


class ColdGuard(Stage):
    """The guard; it has no state beside its episode."""

    name = "cold-coordinate guard"

    def __init__(self, config: ColdGuardConfig | None = None, *, enabled: bool = True) -> None:
        super().__init__(enabled=enabled)
        self.config = config or ColdGuardConfig()
        self.episode = Episode(self.name)
        self._step = 0
        self._woken: list[Tensor] = []

    def begin(self, tensors: Sequence[TensorStep], run: StepRun) -> None:
        """Note the step."""
        self._step = run.step
        self._woken = []

    def second_moment(self, tensor: TensorStep, before: Tensor, after: Tensor) -> Tensor:
        """Return max(v, g^2) at coordinates that wake."""
        if self._step <= self.config.warmup_steps:
            return after
        square = tensor.descent_gradient.square()
        cold = before < (self.config.cold_epsilons * tensor.epsilon) ** 2
        woken = cold & (square > self.config.wake_ratio * before)
        self._woken.append(woken.sum())
        return torch.where(woken, torch.maximum(after, square), after)

    def finish(self, tensors: Sequence[TensorStep], run: StepRun) -> None:
        """Tell the log how many coordinates woke."""
        if run.log is None or not self._woken:
            return
        n_woken = int(stacked(self._woken).sum())
        self.episode.observe(
            run.log,
            run.step,
            acted=n_woken > 0,
            what=f"{self.name} begins: {n_woken} cold coordinates woke and got v = g^2",
            before={"n_guarded": 0},
            after={"n_guarded": n_woken},
        )
        self._woken = []

    def own_state(self) -> dict[str, Any]:
        """Return the episode."""
        return {"episode": self.episode.state_dict()}

    def load_own_state(self, state: dict[str, Any]) -> None:
        """Take over the episode."""
        self.episode.load_state_dict(state["episode"])
