"""Which interventions a run asked for. All are off: nothing acts unless it was told to.

In: one switch an intervention, JSON-able. Out: the stages of the optimizer that are on.
Never: the constants of an intervention; those are its own config's, and their defaults its paper's.
"""

from dataclasses import dataclass, fields

from herd.foundation import UserError


@dataclass(frozen=True, kw_only=True, slots=True)
class InterventionConfig:
    """One switch an intervention.

    `relative_epsilon` is c of epsilon_l = c * RMS(sqrt(v_l)), usually 1e-3; `qk_clip` is the
    largest attention logit allowed, usually 100; `z_loss` is its coefficient, usually 1e-4; 0 is
    off. `qk_clip`, `z_loss` and `rollback` belong to the model and the loop, the rest to the
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
