"""Hold the RMS of each tensor's update to twice what it is in health.

In: the update u of each tensor. Out: u * min(1, c/RMS(u)), c = 2 sqrt((1 - beta1)/(1 + beta1)).
Never: the weight decay, which is no part of u.
Source: ours, from the closed form of the healthy update (0.46 for beta1 0.9). It waits for the end
of warm-up, since early gradients agree with each other and a large update is then legitimate.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import torch
from torch import Tensor

from herd.foundation import UserError
from herd.stability.interventions.clip_report import at_most_one, report_clip
from herd.stability.interventions.episode import Episode
from herd.stability.interventions.stage import Stage, StepRun
from herd.stability.interventions.tensor_step import TensorStep
from herd.stability.theory import healthy_update_rms, memory_steps


@dataclass(frozen=True, kw_only=True, slots=True)
class UpdateClipConfig:
    """`times_healthy` is the limit over the healthy RMS; `warmup_steps` None is 5/(1 - beta2)."""

    times_healthy: float = 2.0
    warmup_steps: int | None = None

    def __post_init__(self) -> None:
        """Check every field."""
        if not self.times_healthy > 0:
            raise UserError(f"update_clip.times_healthy must be above 0: {self.times_healthy}")
        if self.warmup_steps is not None and self.warmup_steps < 0:
            raise UserError(f"update_clip.warmup_steps must not be negative: {self.warmup_steps}")


class UpdateClip(Stage):
    """The clip; its limit follows the beta1 of each group."""

    name = "update clip"

    def __init__(self, config: UpdateClipConfig | None = None, *, enabled: bool = True) -> None:
        super().__init__(enabled=enabled)
        self.config = config or UpdateClipConfig()
        self.episode = Episode(self.name)

    def limit(self, beta1: float) -> float:
        """Return the RMS that an update may have."""
        return self.config.times_healthy * healthy_update_rms(beta1)

    def scale(self, tensors: Sequence[TensorStep], run: StepRun) -> None:
        """Set the factor of each tensor whose update is too large."""
        chosen = [t for t in tensors if self.applies_to(t.name) and self._is_warm(t, run)]
        chosen = [tensor for tensor in chosen if tensor.n_coordinates]
        if not chosen:
            return
        limits = [self.limit(tensor.betas[0]) for tensor in chosen]
        means_T = run.sums(chosen, [mean_square(tensor) for tensor in chosen])
        rms_T = means_T.sqrt()
        factors = [
            at_most_one(limit / rms) for limit, rms in zip(limits, rms_T.unbind(), strict=True)
        ]
        for tensor, factor in zip(chosen, factors, strict=True):
            tensor.update_factor = factor * tensor.update_factor
        report_clip(
            self.episode,
            run,
            [tensor.name for tensor in chosen],
            sizes_T=rms_T,
            factors_T=torch.stack(factors),
            quantity="update_rms",
        )

    def _is_warm(self, tensor: TensorStep, run: StepRun) -> bool:
        steps = self.config.warmup_steps
        return run.step > (round(5 * memory_steps(tensor.betas[1])) if steps is None else steps)

    def own_state(self) -> dict[str, Any]:
        """Return the episode."""
        return {"episode": self.episode.state_dict()}

    def load_own_state(self, state: dict[str, Any]) -> None:
        """Take over the episode."""
        self.episode.load_state_dict(state["episode"])


def mean_square(tensor: TensorStep) -> Tensor:
    """Return this rank's share of the mean of u^2 over the whole tensor."""
    return tensor.update().square().sum() / tensor.n_coordinates
