"""An epsilon for each tensor, relative to the size of its own gradients.

In: the second moment of each tensor. Out: epsilon_l = c * RMS(sqrt(v_l)), c = 1e-3.
Never: an epsilon of 0, which would divide 0 by 0 in a tensor without gradients.
Source: ours, from the paper's remark that a layer must not drop below epsilon; v is bias-corrected,
as in the sum that epsilon enters. A tensor is then never cold as a whole, whatever the loss scale.
"""

from collections.abc import Sequence
from dataclasses import dataclass

from herd.foundation import UserError
from herd.stability.interventions.episode import record
from herd.stability.interventions.stage import Stage, StepRun
from herd.stability.interventions.tensor_step import TensorStep


@dataclass(frozen=True, kw_only=True, slots=True)
class RelativeEpsilonConfig:
    """`ratio` is c; `least` the smallest epsilon that float32 can use."""

    ratio: float = 1e-3
    least: float = 1e-15

    def __post_init__(self) -> None:
        """Check every field."""
        if not 0 < self.ratio < float("inf"):
            raise UserError(f"relative_epsilon.ratio must be above 0: {self.ratio}")
        if not self.least > 0:
            raise UserError(f"relative_epsilon.least must be above 0: {self.least}")


class RelativeEpsilon(Stage):
    """The rule; it has no state, and logs its first step."""

    name = "relative epsilon"

    def __init__(
        self, config: RelativeEpsilonConfig | None = None, *, enabled: bool = True
    ) -> None:
        super().__init__(enabled=enabled)
        self.config = config or RelativeEpsilonConfig()
        self.reported = False

    def choose_epsilon(self, tensors: Sequence[TensorStep], run: StepRun) -> None:
        """Set each tensor's epsilon."""
        chosen = [t for t in tensors if self.applies_to(t.name) and t.n_coordinates]
        if not chosen:
            return
        shares = [t.corrected_second_moment().sum() / t.n_coordinates for t in chosen]
        rms_T = run.sums(chosen, shares).sqrt()
        epsilons_T = (self.config.ratio * rms_T).clamp(min=self.config.least)
        before = float(chosen[0].group["eps"])
        for tensor, epsilon in zip(chosen, epsilons_T.unbind(), strict=True):
            tensor.epsilon = epsilon.to(tensor.gradient.device)
        if run.log is not None and not self.reported:
            self.reported = True
            least, most = float(epsilons_T.min()), float(epsilons_T.max())
            what = (
                f"epsilon is relative from now on: {least:.3g} to {most:.3g} over {len(chosen)} "
                f"tensors instead of {before:.3g}"
            )
            after = {"least_epsilon": least, "largest_epsilon": most}
            run.log(record(run.step, self.name, what, before={"epsilon": before}, after=after))

    def own_state(self) -> dict[str, bool]:
        """Return whether the log has had its line."""
        return {"reported": self.reported}

    def load_own_state(self, state: dict[str, bool]) -> None:
        """Take over whether the log has had its line."""
        self.reported = state["reported"]
