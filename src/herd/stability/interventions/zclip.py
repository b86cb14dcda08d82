"""Clip the whole gradient when its norm is an outlier of its own recent history.

In: gradients. Out: the same gradients, scaled down together.
Never: an enlarged gradient.
Source: ZClip (Kumar et al. 2025, arXiv 2504.02507) and its public code: EMA of mean and variance
with alpha 0.97 after 25 steps that fill it; z = (norm - mean)/(sigma + 1e-6); above 2.5 the norm is
clipped to mean + 2.5 sigma/(z/2.5); at all times to `max_norm`. The clipped norm enters the EMA.
Give it gradients that nobody clipped before, else it sees only what that clip left.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import torch
from torch import Tensor

from herd.foundation import UserError
from herd.stability.interventions.clip_report import at_most_one, report_clip
from herd.stability.interventions.episode import Episode
from herd.stability.interventions.stage import GradientStage, StepRun
from herd.stability.interventions.tensor_step import TensorStep

SMALL = 1e-6


@dataclass(frozen=True, kw_only=True, slots=True)
class ZClipConfig:
    """ZClip's constants. `max_norm` infinite leaves only the adaptive clip."""

    alpha: float = 0.97
    z_threshold: float = 2.5
    max_norm: float = 1.0
    warmup_steps: int = 25

    def __post_init__(self) -> None:
        """Check every field."""
        if not 0 <= self.alpha < 1:
            raise UserError(f"zclip.alpha must lie in [0, 1), not {self.alpha}")
        if not self.z_threshold > 0:
            raise UserError(f"zclip.z_threshold must be above 0: {self.z_threshold}")
        if not self.max_norm > 0:
            raise UserError(f"zclip.max_norm must be above 0: {self.max_norm}")
        if self.warmup_steps < 1:
            raise UserError(f"zclip.warmup_steps must be at least 1: {self.warmup_steps}")


class ZClip(GradientStage):
    """The clip with its statistics, all of them on the device."""

    name = "ZClip"

    def __init__(self, config: ZClipConfig | None = None, *, enabled: bool = True) -> None:
        super().__init__(enabled=enabled)
        self.config = config or ZClipConfig()
        self.episode = Episode(self.name)
        self.mean = torch.zeros((), dtype=torch.float64)
        self.variance = torch.zeros((), dtype=torch.float64)
        self.n_norms = torch.zeros((), dtype=torch.int64)
        self.warmup_norms_W = torch.zeros(self.config.warmup_steps, dtype=torch.float64)

    def change_gradients(self, tensors: Sequence[TensorStep], run: StepRun) -> None:
        """Scale all gradients by one factor."""
        if not tensors:
            return
        norm = run.norms(tensors).double().square().sum().sqrt()
        limit = self.limit(norm)
        factor = at_most_one(torch.where(norm > limit, limit / (norm + SMALL), 1.0))
        for tensor in tensors:
            gradient = tensor.gradient
            gradient.mul_(factor.to(gradient.device))
        report_clip(
            self.episode,
            run,
            ["the whole gradient"],
            sizes_T=norm[None],
            factors_T=factor[None],
            quantity="grad_norm",
        )

    def limit(self, norm: Tensor) -> Tensor:
        """Return to what a gradient of this norm (float64 scalar) is clipped; take the norm in."""
        self._move_to(norm.device)
        config, warm = self.config, self.n_norms >= self.config.warmup_steps
        sigma = self.variance.sqrt()
        z = (norm - self.mean) / (sigma + SMALL)
        adaptive = self.mean + config.z_threshold * sigma / (z / config.z_threshold)
        kept = torch.where(warm & (z > config.z_threshold), adaptive, norm)
        self._take_in(kept, warm, torch.isfinite(norm))
        return kept.clamp(max=config.max_norm)

    def _take_in(self, norm: Tensor, warm: Tensor, finite: Tensor) -> None:
        alpha = self.config.alpha
        mean = alpha * self.mean + (1 - alpha) * norm
        variance = alpha * self.variance + (1 - alpha) * (norm - mean).square()
        places_W = torch.arange(self.config.warmup_steps, device=norm.device)
        here_W = (places_W == self.n_norms) & finite & ~warm
        self.warmup_norms_W = torch.where(here_W, norm, self.warmup_norms_W)
        filled = finite & (self.n_norms == self.config.warmup_steps - 1)
        mean = torch.where(filled, self.warmup_norms_W.mean(), mean)
        variance = torch.where(filled, self.warmup_norms_W.var(correction=0), variance)
        changed = finite & (warm | filled)
        self.mean = torch.where(changed, mean, self.mean)
        self.variance = torch.where(changed, variance, self.variance)
        self.n_norms = self.n_norms + finite

    def _move_to(self, device: torch.device) -> None:
        for name in ("mean", "variance", "n_norms", "warmup_norms_W"):
            setattr(self, name, getattr(self, name).to(device))

    def own_state(self) -> dict[str, Any]:
        """Return the statistics and the episode."""
        return {
            "mean": self.mean.clone(),
            "variance": self.variance.clone(),
            "n_norms": self.n_norms.clone(),
            "warmup_norms": self.warmup_norms_W.clone(),
            "episode": self.episode.state_dict(),
        }

    def load_own_state(self, state: dict[str, Any]) -> None:
        """Take over statistics. Raises UserError when the warm-up has another length."""
        if state["warmup_norms"].shape != self.warmup_norms_W.shape:
            raise UserError(
                f"the saved ZClip fills its statistics over {len(state['warmup_norms'])} steps, "
                f"the configured one over {self.config.warmup_steps}; configure the same"
            )
        self.mean, self.variance = state["mean"].clone(), state["variance"].clone()
        self.n_norms = state["n_norms"].clone()
        self.warmup_norms_W = state["warmup_norms"].clone()
        self.episode.load_state_dict(state["episode"])
