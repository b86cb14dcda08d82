"""What R3 trains: sizes and lengths of its stages, and how an arm sets Adam.

Out: `StagedTask` and `StagedArm`, frozen values.
"""

from dataclasses import dataclass

from herd.foundation import UserError
from herd.stability.reproduction.r3_languages import StagedLanguages
from herd.stability.reproduction.r3_transformer import DecoderShape


@dataclass(frozen=True, kw_only=True, slots=True)
class StagedTask:
    """The decoder, the languages and how long each stage lasts, in steps."""

    shape: DecoderShape = DecoderShape()
    batch_size: int = 32
    jump: float = 0.0
    new_share: float = 0.125
    n_foundation_steps: int = 150
    n_cold_steps: int = 80
    n_awake_steps: int = 16
    n_warmup_steps: int = 20
    foundation_rate: float = 3e-3

    def __post_init__(self) -> None:
        """Check every field that the languages do not."""
        for name in ("batch_size", "n_foundation_steps", "n_cold_steps", "n_awake_steps"):
            if getattr(self, name) < 1:
                raise UserError(f"R3: {name} must be at least 1, not {getattr(self, name)}")
        if not 0 < self.n_new < self.batch_size:
            raise UserError(
                f"R3: a batch of {self.batch_size} holds no mix of 1 - {self.new_share} old and "
                f"{self.new_share} new sequences; enlarge it"
            )

    @property
    def languages(self) -> StagedLanguages:
        """Return the two languages in the decoder's sizes."""
        return StagedLanguages(
            vocabulary=self.shape.vocabulary,
            n_positions=self.shape.n_positions,
            jump=self.jump,
            new_share=self.new_share,
        )

    @property
    def n_new(self) -> int:
        """Return how many sequences of a batch of stage B are new."""
        return round(self.new_share * self.batch_size)


@dataclass(frozen=True, kw_only=True, slots=True)
class StagedArm:
    """How Adam is set, and the two controls: no switch at all, or v told of the new gradients.

    `refresh_v` sets v to max(v, g^2) at the switch, so that v is a variance again: the data change
    all the same, the coldness is gone.
    """

    name: str
    learning_rate: float = 1e-2
    beta2: float = 0.95
    epsilon: float = 1e-3
    switches: bool = True
    refresh_v: bool = False
