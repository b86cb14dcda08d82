"""Clip every tensor's gradient against its own recent norm.

In: gradients. Out: each scaled to at most `relative` times the average of its clipped norms.
Never: an enlarged gradient.
Source: AdaGC (Wang et al. 2025, arXiv 2502.11034): h = min(relative * gamma/norm, 1), then
gamma = beta gamma + (1 - beta) |h g|; in the first steps a global clip to `absolute` while
gamma = min(gamma, |clipped g|). The constants 1.05, 0.98 and 100 steps are in our reading.
Ours: a norm that is zero or not finite leaves gamma alone; a gamma of 0 would freeze the tensor.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import torch
from torch import Tensor

from herd.foundation import UserError
from herd.stability.interventions.clip_report import at_most_one, report_clip
from herd.stability.interventions.episode import Episode
from herd.stability.interventions.shard_sums import on_device, stacked
from herd.stability.interventions.stage import GradientStage, StepRun
from herd.stability.interventions.tensor_step import TensorStep


@dataclass(frozen=True, kw_only=True, slots=True)
class AdaGCConfig:
    """AdaGC's constants: lambda_rel, lambda_abs, beta, steps of warm-up."""

    relative: float = 1.05
    absolute: float = 1.0
    beta: float = 0.98
    warmup_steps: int = 100

    def __post_init__(self) -> None:
        """Check every field."""
        if not self.relative > 0 or not self.absolute > 0:
            raise UserError(
                f"adagc.relative and adagc.absolute must be above 0, not {self.relative} and "
                f"{self.absolute}"
            )
        if not 0 <= self.beta < 1:
            raise UserError(f"adagc.beta must lie in [0, 1), not {self.beta}")
        if self.warmup_steps < 1:
            raise UserError(f"adagc.warmup_steps must be at least 1: {self.warmup_steps}")


class AdaGC(GradientStage):
    """The clip with one running norm a tensor, infinite until the tensor's first gradient."""

    name = "AdaGC"

    def __init__(self, config: AdaGCConfig | None = None, *, enabled: bool = True) -> None:
        super().__init__(enabled=enabled)
        self.config = config or AdaGCConfig()
        self.episode = Episode(self.name)
        self.n_steps = 0
        self.gammas: dict[str, Tensor] = {}

    def change_gradients(self, tensors: Sequence[TensorStep], run: StepRun) -> None:
        """Scale each gradient by its factor."""
        self.n_steps += 1
        if not tensors:
            return
        norms_T = run.norms(tensors).double()
        unknown = on_device(torch.inf, norms_T.device)
        gammas_T = stacked([unknown, *(self.gammas.get(t.name, unknown) for t in tensors)])[1:]
        factors_T, gammas_T = self.factors(norms_T, gammas_T, warm=self._is_warm())
        self.gammas.update(zip([t.name for t in tensors], gammas_T.unbind(), strict=True))
        for tensor, factor in zip(tensors, factors_T.unbind(), strict=True):
            if self.applies_to(tensor.name):
                tensor.gradient.mul_(factor.to(tensor.gradient.device))
        report_clip(
            self.episode,
            run,
            [tensor.name for tensor in tensors],
            sizes_T=norms_T,
            factors_T=factors_T,
            quantity="grad_norm",
            acts=self.applies_to,
        )

    def factors(self, norms_T: Tensor, gammas_T: Tensor, *, warm: bool) -> tuple[Tensor, Tensor]:
        """Return the factor h of each tensor, and its new running norm."""
        config = self.config
        if warm:
            factors_T = at_most_one(config.relative * gammas_T / norms_T)
            first_T = torch.isinf(gammas_T)
            average_T = config.beta * gammas_T + (1 - config.beta) * factors_T * norms_T
            new_T = torch.where(first_T, norms_T, average_T)
        else:
            total = norms_T.square().sum().sqrt()
            factors_T = at_most_one(config.absolute / total).expand_as(norms_T)
            new_T = torch.minimum(gammas_T, factors_T * norms_T)
        usable_T = torch.isfinite(norms_T) & (norms_T > 0)
        return factors_T, torch.where(usable_T, new_T, gammas_T)

    def _is_warm(self) -> bool:
        return self.n_steps > self.config.warmup_steps

    def own_state(self) -> dict[str, Any]:
        """Return the count of steps, the running norms and the episode."""
        return {
            "n_steps": self.n_steps,
            "gammas": {name: gamma.clone() for name, gamma in self.gammas.items()},
            "episode": self.episode.state_dict(),
        }

    def load_own_state(self, state: dict[str, Any]) -> None:
        """Take over running norms."""
        self.n_steps = state["n_steps"]
        self.gammas = {name: gamma.clone() for name, gamma in state["gammas"].items()}
        self.episode.load_state_dict(state["episode"])
