"""Where a run stands: step, tokens, position in the data, random numbers.

Out: a value that is replaced, never changed, and that a checkpoint keeps as JSON.
"""

from dataclasses import dataclass, replace
from typing import Self

import torch
from torch import Tensor


@dataclass(frozen=True, kw_only=True, slots=True)
class TrainState:
    """Counts since the start of the run. `next_sequence` is the whole position in the data.

    `n_rollbacks` says how often the run had gone back to an older checkpoint; steps and tokens
    count what led to the model at hand, not what was abandoned.
    """

    step: int = 0
    tokens: int = 0
    next_sequence: int = 0
    n_rollbacks: int = 0

    def after_batch(self, *, n_sequences: int, sequence_tokens: int) -> Self:
        """Return the state one step later."""
        return replace(
            self,
            step=self.step + 1,
            tokens=self.tokens + n_sequences * sequence_tokens,
            next_sequence=self.next_sequence + n_sequences,
        )


def random_state(device: torch.device) -> dict[str, Tensor]:
    """Return the state of torch's random numbers on the CPU and on `device`."""
    states = {"cpu": torch.get_rng_state()}
    if device.type == "cuda":
        states["cuda"] = torch.cuda.get_rng_state(device)
    return states


def set_random_state(states: dict[str, Tensor], device: torch.device) -> None:
    """Put back what `random_state` returned."""
    torch.set_rng_state(states["cpu"].cpu())
    if device.type == "cuda" and "cuda" in states:
        torch.cuda.set_rng_state(states["cuda"].cpu(), device)


def crossed(before_tokens: int, after_tokens: int, every_tokens: int) -> bool:
    """Return whether a multiple of `every_tokens` was passed; never, if that is 0.

    A pure function of token counts: a resumed run does the same things at the same places.
    """
    return every_tokens > 0 and after_tokens // every_tokens > before_tokens // every_tokens
