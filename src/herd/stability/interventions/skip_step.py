"""Leave out a step whose loss or gradient norm stands 6 sigma above those before it.

In: loss and gradient norm of every step. Out: a boolean on the device; where it is false neither
the parameter nor m, v or the step count changes.
Never: a wait for the device.
Source: OLMo-core's and Levanter's rule: more than mean + 6 sigma of the last 128 values, once 64
are known; standard deviation of the population, at least 1e-6. Every finite value enters the
window, that of a skipped step as well, so a new level is accepted in time. Ours: a value that is
not finite skips at any time and never enters the window.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import torch
from torch import Tensor

from herd.foundation import UserError
from herd.stability.interventions.episode import record
from herd.stability.interventions.shard_sums import on_device
from herd.stability.interventions.stage import Stage, StepRun
from herd.stability.interventions.tensor_step import TensorStep

LEAST_SIGMA = 1e-6


@dataclass(frozen=True, kw_only=True, slots=True)
class SkipStepConfig:
    """The rule's window in steps, and its threshold in standard deviations."""

    window_steps: int = 128
    sigmas: float = 6.0

    def __post_init__(self) -> None:
        """Check every field."""
        if self.window_steps < 4:
            raise UserError(f"skip_step.window_steps must be at least 4: {self.window_steps}")
        if not self.sigmas > 0:  # nan as well
            raise UserError(f"skip_step.sigmas must be above 0: {self.sigmas}")


class SkipStep(Stage):
    """The rule with its window. Without a given gradient norm it is computed from the gradients."""

    name = "skip step"

    def __init__(self, config: SkipStepConfig | None = None, *, enabled: bool = True) -> None:
        super().__init__(enabled=enabled)
        self.config = config or SkipStepConfig()
        self.window_2W = torch.zeros(2, self.config.window_steps, dtype=torch.float64)
        self.n_values_2 = torch.zeros(2, dtype=torch.int64)
        self.n_skipped = torch.zeros((), dtype=torch.int64)

    def begin(self, tensors: Sequence[TensorStep], run: StepRun) -> None:
        """Decide whether this step is applied."""
        if not tensors:
            return
        norm = run.norms(tensors).square().sum().sqrt() if run.grad_norm is None else run.grad_norm
        device = tensors[0].gradient.device
        loss = 0.0 if run.loss_nats is None else run.loss_nats
        value_2 = torch.stack([on_device(loss, device), on_device(norm, device)])
        known_2 = torch.ones(2, dtype=torch.bool, device=device)
        known_2[0].fill_(run.loss_nats is not None)
        mean_2, sigma_2 = self._mean_and_sigma(device)  # before the window moves on
        run.applied = self.judge(value_2, known_2)
        if run.log is not None and not bool(run.applied):
            self._report(run, value_2, mean_2, sigma_2)

    def judge(self, value_2: Tensor, known_2: Tensor) -> Tensor:
        """Return whether loss and norm (float64, shape [2]) allow a step; take them in.

        `known_2` is false for one that was not given: it then has no say.
        """
        mean_2, sigma_2 = self._mean_and_sigma(value_2.device)
        finite_2 = torch.isfinite(value_2)
        enough_2 = self.n_values_2 >= max(2, self.config.window_steps // 2)
        high_2 = enough_2 & (value_2 > mean_2 + self.config.sigmas * sigma_2)
        spike = (known_2 & (high_2 | ~finite_2)).any()
        self._take_in(value_2, known_2 & finite_2)
        self.n_skipped += spike
        return ~spike

    def _mean_and_sigma(self, device: torch.device) -> tuple[Tensor, Tensor]:
        self.window_2W = self.window_2W.to(device)
        self.n_values_2 = self.n_values_2.to(device)
        self.n_skipped = self.n_skipped.to(device)
        places_W = torch.arange(self.config.window_steps, device=device)
        held_2W = places_W < self.n_values_2[:, None]
        n_2 = held_2W.sum(1).clamp(min=1)
        mean_2 = torch.where(held_2W, self.window_2W, 0.0).sum(1) / n_2
        square_2W = torch.where(held_2W, self.window_2W - mean_2[:, None], 0.0).square()
        return mean_2, (square_2W.sum(1) / n_2).sqrt().clamp(min=LEAST_SIGMA)

    def _take_in(self, value_2: Tensor, taken_2: Tensor) -> None:
        places_W = torch.arange(self.config.window_steps, device=value_2.device)
        here_2W = places_W == (self.n_values_2 % self.config.window_steps)[:, None]
        here_2W &= taken_2[:, None]
        self.window_2W = torch.where(here_2W, value_2[:, None], self.window_2W)
        self.n_values_2 += taken_2

    def _report(self, run: StepRun, value_2: Tensor, mean_2: Tensor, sigma_2: Tensor) -> None:
        assert run.log is not None
        values = dict(zip(("loss_nats", "grad_norm"), value_2.tolist(), strict=True))
        limits = dict(zip(values, (mean_2 + self.config.sigmas * sigma_2).tolist(), strict=True))
        if run.loss_nats is None:
            values.pop("loss_nats"), limits.pop("loss_nats")
        high = [
            f"{key} {value:.4g} (limit {limits[key]:.4g})"
            for key, value in values.items()
            if not value <= limits[key]
        ]
        what = f"step {run.step} skipped: {', '.join(high)}; weights, m and v unchanged"
        run.log(record(run.step, self.name, what, before=values, after={"applied": 0.0}))

    def own_state(self) -> dict[str, Any]:
        """Return the window, its fill, and how many steps were skipped."""
        return {
            "window": self.window_2W.clone(),
            "n_values": self.n_values_2.clone(),
            "n_skipped": self.n_skipped.clone(),
        }

    def load_own_state(self, state: dict[str, Any]) -> None:
        """Take over a window. Raises UserError when it has another length."""
        if state["window"].shape != self.window_2W.shape:
            raise UserError(
                f"the saved window of skip step holds {state['window'].shape[1]} steps, the "
                f"configured one {self.config.window_steps}; configure the same"
            )
        self.window_2W = state["window"].clone()
        self.n_values_2 = state["n_values"].clone()
        self.n_skipped = state["n_skipped"].clone()
