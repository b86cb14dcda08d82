"""What the watch says about a step: how bad, where, why, in words a person understands.

Out: `WatchVerdict`, a frozen value; `Level` and `Mechanism`, the words that it uses.
"""

from dataclasses import dataclass
from enum import StrEnum
from typing import Any, Self


class Level(StrEnum):
    """How a layer or a run stands. The order of concern is `Level.concern`."""

    OK = "OK"
    WATCH = "WATCH"
    ALARM = "ALARM"
    RECOVERY = "RECOVERY"

    @property
    def concern(self) -> int:
        """Return 0 for OK, then RECOVERY, WATCH, and 3 for ALARM."""
        return ("OK", "RECOVERY", "WATCH", "ALARM").index(self.value)


class Mechanism(StrEnum):
    """The causes that the statistics tell apart; a diagnosis is a likelihood, not a proof."""

    COLD = "cold layer"
    AWAKENING = "awakening of a cold layer"
    LEFT_BEHIND = "second moment left behind"
    GROWTH = "update grows"
    UNCORRELATED = "large update without descent"
    OSCILLATION = "oscillation at the edge of stability"
    ATTENTION_LOGITS = "attention logits grow"
    OUTPUT_LOGITS = "output logits drift"
    BAD_BATCH = "bad batch or hardware"
    NOT_FINITE = "gradient not finite"


@dataclass(frozen=True, kw_only=True, slots=True)
class WatchVerdict:
    """The judgement on one optimizer step.

    `level` is the worst of the run; `layers` are those that are not OK, the worst first, and
    `reasons` say why in the same order, run-wide reasons first. `watched` is False for a step at
    which no statistics were taken: then the verdict repeats the last one.
    """

    step: int
    level: Level = Level.OK
    reasons: tuple[str, ...] = ()
    layers: tuple[str, ...] = ()
    mechanisms: tuple[Mechanism, ...] = ()
    watched: bool = True

    def as_plain(self) -> dict[str, Any]:
        """Return the fields as JSON-able values."""
        return {
            "step": self.step,
            "level": self.level.value,
            "reasons": list(self.reasons),
            "layers": list(self.layers),
            "mechanisms": [mechanism.value for mechanism in self.mechanisms],
            "watched": self.watched,
        }

    @classmethod
    def from_plain(cls, plain: dict[str, Any]) -> Self:
        """Return the verdict that `as_plain` was asked of."""
        return cls(
            step=plain["step"],
            level=Level(plain["level"]),
            reasons=tuple(plain["reasons"]),
            layers=tuple(plain["layers"]),
            mechanisms=tuple(Mechanism(each) for each in plain["mechanisms"]),
            watched=plain["watched"],
        )
