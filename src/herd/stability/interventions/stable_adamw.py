"""Lower a tensor's learning rate while its gradients are larger than its second moment knows.

In: gradient and second moment of each tensor. Out: learning rate / max(1, RMS/d), with
RMS = sqrt(mean(g^2 / max(v, epsilon^2))).
Never: a raised learning rate.
Source: StableAdamW (Wortsman et al. 2023, arXiv 2304.13013) after Adafactor's update clipping
(Shazeer and Stern 2018), d = 1. v is that of this step, bias-corrected; weight decay is scaled too,
since it is multiplied by the learning rate.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from torch import Tensor

from herd.foundation import UserError
from herd.stability.interventions.clip_report import at_most_one, report_clip
from herd.stability.interventions.episode import Episode
from herd.stability.interventions.stage import Stage, StepRun
from herd.stability.interventions.tensor_step import TensorStep


@dataclass(frozen=True, kw_only=True, slots=True)
class StableAdamWConfig:
    """The RMS up to which the learning rate stays whole: d."""

    threshold: float = 1.0

    def __post_init__(self) -> None:
        """Check the field."""
        if not self.threshold > 0:
            raise UserError(f"stable_adamw.threshold must be above 0: {self.threshold}")


class StableAdamW(Stage):
    """The rule; it has no state beside its episode."""

    name = "StableAdamW"

    def __init__(self, config: StableAdamWConfig | None = None, *, enabled: bool = True) -> None:
        super().__init__(enabled=enabled)
        self.config = config or StableAdamWConfig()
        self.episode = Episode(self.name)

    def scale(self, tensors: Sequence[TensorStep], run: StepRun) -> None:
        """Set the factor on each tensor's learning rate."""
        chosen = [t for t in tensors if self.applies_to(t.name) and t.n_coordinates]
        if not chosen:
            return
        rms_T = run.sums(chosen, [mean_square_ratio(tensor) for tensor in chosen]).sqrt()
        factors_T = at_most_one(self.config.threshold / rms_T)
        for tensor, factor in zip(chosen, factors_T.unbind(), strict=True):
            tensor.rate_factor = factor * tensor.rate_factor
        report_clip(
            self.episode,
            run,
            [tensor.name for tensor in chosen],
            sizes_T=rms_T,
            factors_T=factors_T,
            quantity="stable_adamw_rms",
        )

    def own_state(self) -> dict[str, Any]:
        """Return the episode."""
        return {"episode": self.episode.state_dict()}

    def load_own_state(self, state: dict[str, Any]) -> None:
        """Take over the episode."""
        self.episode.load_state_dict(state["episode"])


def mean_square_ratio(tensor: TensorStep) -> Tensor:
    """Return this rank's share of the mean of g^2 / max(v, epsilon^2) over the whole tensor."""
    second = tensor.corrected_second_moment()
    smallest = tensor.epsilon**2
    least = second.clamp(min=max(smallest, 1e-38) if isinstance(smallest, float) else smallest)
    return (tensor.descent_gradient.square() / least).sum() / tensor.n_coordinates
