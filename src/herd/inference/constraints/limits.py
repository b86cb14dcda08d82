"""How much a constraint may cost: to compile, to keep, and at each token.

In: numbers. Out: `ConstraintLimits`, checked. Never: who enforces them.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from numbers import Real

from herd.foundation import UserError


@dataclass(frozen=True, kw_only=True, slots=True)
class ConstraintLimits:
    """What one constraint may cost.

    Compiling it and its first masks: `time_s` and `memory_bytes` in the worker. The worker's verdicts
    on the `n_cached` last used ones are remembered. The rest are llguidance's own limits, in its
    units (fuel: about 50 per microsecond before the start, 14 per microsecond in a step).
    """

    time_s: float = 5.0
    memory_bytes: int = 1 << 30
    n_cached: int = 64
    initial_lexer_fuel: int = 1_000_000
    step_lexer_fuel: int = 200_000
    step_max_items: int = 50_000
    max_items_in_row: int = 2_000
    max_lexer_states: int = 50_000
    max_grammar_size: int = 500_000

    def __post_init__(self) -> None:
        """Raise UserError for a limit that allows nothing."""
        if not (isinstance(self.time_s, Real) and 0 < self.time_s < math.inf):
            raise UserError(f"time_s of a constraint is {self.time_s!r}: give seconds, more than 0")
        counts = {"memory_bytes": self.memory_bytes, "n_cached": self.n_cached}
        for name, value in {**counts, **self.engine_limits()}.items():
            if not isinstance(value, int) or isinstance(value, bool) or value < 1:
                raise UserError(
                    f"{name} of a constraint is {value!r}: give a whole number, 1 or more"
                )

    def engine_limits(self) -> dict[str, int]:
        """Return the limits that llguidance enforces."""
        return {
            "initial_lexer_fuel": self.initial_lexer_fuel,
            "step_lexer_fuel": self.step_lexer_fuel,
            "step_max_items": self.step_max_items,
            "max_items_in_row": self.max_items_in_row,
            "max_lexer_states": self.max_lexer_states,
            "max_grammar_size": self.max_grammar_size,
        }
