"""Clip single coordinates of the gradient that stand far above their own second moment.

In: gradients and v of the step before. Out: g := sign(g) sqrt(theta v) where g^2/v > theta.
Never: an enlarged coordinate.
Source: SPAM (Huang et al. 2025, arXiv 2501.06842), theta 5000. v is the stored one, without bias
correction, and clipping waits 20 steps after the start and after a reset, as the public code does.
Ours: a coordinate whose v is 0 has no history and is not clipped; it would stay at 0 for ever.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import torch
from torch import Tensor

from herd.foundation import UserError
from herd.stability.interventions.episode import Episode
from herd.stability.interventions.shard_sums import stacked
from herd.stability.interventions.stage import GradientStage, StepRun
from herd.stability.interventions.tensor_step import TensorStep, widened


@dataclass(frozen=True, kw_only=True, slots=True)
class SpikeClipConfig:
    """SPAM's threshold on g^2/v, and the steps a second moment needs before it counts."""

    threshold: float = 5000.0
    grace_steps: int = 20

    def __post_init__(self) -> None:
        """Check every field."""
        if not self.threshold > 0:
            raise UserError(f"spike_clip.threshold must be above 0: {self.threshold}")
        if self.grace_steps < 0:
            raise UserError(f"spike_clip.grace_steps must not be negative: {self.grace_steps}")


class SpikeClip(GradientStage):
    """The clip. On an optimizer without second moments it raises UserError at the second step."""

    name = "SPAM spike clip"

    def __init__(self, config: SpikeClipConfig | None = None, *, enabled: bool = True) -> None:
        super().__init__(enabled=enabled)
        self.config = config or SpikeClipConfig()
        self.episode = Episode(self.name)
        self.n_steps: dict[str, int] = {}

    def change_gradients(self, tensors: Sequence[TensorStep], run: StepRun) -> None:
        """Clip the coordinates that spike."""
        counts, n_clipped = self.n_steps, []
        for tensor in tensors:
            waited = 0 if tensor.name in run.reset_names else counts.get(tensor.name, 0)
            counts[tensor.name] = waited + 1
            second = tensor.moment("exp_avg_sq")
            if second is None and waited > 0:
                raise UserError(
                    f"{tensor.name} has no second moment; spike clipping needs an optimizer of "
                    "Adam's family"
                )
            if second is None or waited < self.config.grace_steps:
                continue
            if self.applies_to(tensor.name):
                clipped, spikes = clip_spikes(tensor.gradient, second, self.config.threshold)
                tensor.gradient.copy_(clipped)
                n_clipped.append(spikes.sum())
        self._report(run, n_clipped)

    def _report(self, run: StepRun, n_clipped: Sequence[Tensor]) -> None:
        if run.log is None:
            return
        total = int(stacked(n_clipped).sum()) if n_clipped else 0
        self.episode.observe(
            run.log,
            run.step,
            acted=total > 0,
            what=(
                f"{self.name} begins: {total} coordinates with g^2/v above "
                f"{self.config.threshold:g} were cut down to it"
            ),
            before={"n_clipped": 0},
            after={"n_clipped": total},
        )

    def own_state(self) -> dict[str, Any]:
        """Return how long each tensor has waited, and the episode."""
        return {"n_steps": dict(self.n_steps), "episode": self.episode.state_dict()}

    def load_own_state(self, state: dict[str, Any]) -> None:
        """Take over counts."""
        self.n_steps = dict(state["n_steps"])
        self.episode.load_state_dict(state["episode"])


def clip_spikes(gradient: Tensor, second: Tensor, threshold: float) -> tuple[Tensor, Tensor]:
    """Return the clipped gradient in float32, and where it was clipped."""
    wide, v = widened(gradient), widened(second)
    spikes = (wide.square() > threshold * v) & (v > 0)
    return torch.where(spikes, wide.sign() * (threshold * v).sqrt(), wide), spikes
