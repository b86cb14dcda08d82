"""Which interventions a run asked for. All are off: nothing acts unless it was told to.

In: one switch an intervention, JSON-able. Out: the stages of the optimizer that are on.
Never: the constants of an intervention; those are its own config's, and their defaults its paper's.
"""

from dataclasses import dataclass, fields

from herd.foundation import UserError
from herd.stability.interventions.adagc import AdaGC
from herd.stability.interventions.cold_guard import ColdGuard
from herd.stability.interventions.learning_rate_damp import LearningRateDamp
from herd.stability.interventions.moment_reset import MomentReset
from herd.stability.interventions.relative_epsilon import RelativeEpsilon, RelativeEpsilonConfig
from herd.stability.interventions.response_policy import ResponseConfig
from herd.stability.interventions.skip_step import SkipStep
from herd.stability.interventions.spike_clip import SpikeClip
from herd.stability.interventions.stable_adamw import StableAdamW
from herd.stability.interventions.stage import Stage
from herd.stability.interventions.update_clip import UpdateClip
from herd.stability.interventions.zclip import ZClip


@dataclass(frozen=True, kw_only=True, slots=True)
class InterventionConfig:
    """One switch an intervention.

    `relative_epsilon` is c of epsilon_l = c * RMS(sqrt(v_l)), usually 1e-3; `qk_clip` is the
    largest attention logit allowed, usually 100; `z_loss` is its coefficient, usually 1e-4; 0 is
    off. `moment_reset` is SPAM: its periodic reset and its spike clip. `learning_rate_damp` waits
    for a ResponsePolicy, or for whoever calls its `damp`. `qk_clip`, `z_loss` and `rollback` belong to the model and the loop, the rest to the
    optimizer.
    """

    skip_step: bool = False
    update_clip: bool = False
    learning_rate_damp: bool = False
    cold_guard: bool = False
    relative_epsilon: float = 0.0
    moment_reset: bool = False
    zclip: bool = False
    adagc: bool = False
    stable_adamw: bool = False
    qk_clip: float = 0.0
    z_loss: float = 0.0
    rollback: bool = False

    def __post_init__(self) -> None:
        """Check every field."""
        for name in ("relative_epsilon", "qk_clip", "z_loss"):
            if not 0 <= getattr(self, name) < float("inf"):  # nan as well
                raise UserError(
                    f"interventions.{name} must be 0 (off) or above, not {getattr(self, name)}"
                )

    @property
    def any_on(self) -> bool:
        """Return whether anything at all was asked for."""
        return any(getattr(self, field.name) for field in fields(self))

    def response(self) -> ResponseConfig:
        """Return what an alarm of the watch is to set off."""
        return ResponseConfig(damp=self.learning_rate_damp)

    def optimizer_stages(self) -> list[Stage]:
        """Return the optimizer's stages that are on, in the order in which they act."""
        asked: list[tuple[bool, type[Stage]]] = [
            (self.skip_step, SkipStep),
            (self.moment_reset, MomentReset),
            (self.moment_reset, SpikeClip),
            (self.zclip, ZClip),
            (self.adagc, AdaGC),
            (self.cold_guard, ColdGuard),
        ]
        stages = [stage() for is_on, stage in asked if is_on]
        if self.relative_epsilon:
            stages.append(RelativeEpsilon(RelativeEpsilonConfig(ratio=self.relative_epsilon)))
        asked = [
            (self.stable_adamw, StableAdamW),
            (self.update_clip, UpdateClip),
            (self.learning_rate_damp, LearningRateDamp),
        ]
        return stages + [stage() for is_on, stage in asked if is_on]
