"""The two sub-languages of R3: what stage A reads for long, and what stage B adds of a sudden.

In: sizes and a generator. Out: sequences of token ids. Language A (lower half of the ids) follows a
fixed cycle, with a small chance of a jump: its entropy is low. Language B (upper half, never seen in
stage A) is a random string and its copy: the second half can be foretold by induction only.
"""

from dataclasses import dataclass

import torch
from torch import Tensor

from herd.foundation import UserError


@dataclass(frozen=True, kw_only=True, slots=True)
class StagedLanguages:
    """`jump` is the chance that language A leaves its cycle; `new_share` of stage B is new."""

    vocabulary: int = 64
    n_positions: int = 16
    jump: float = 0.02
    new_share: float = 0.5

    def __post_init__(self) -> None:
        """Check every field."""
        if self.vocabulary < 4 or self.vocabulary % 2:
            raise UserError(f"languages: an even vocabulary of 4 or more, not {self.vocabulary}")
        if self.n_positions < 2:
            raise UserError(f"languages: at least 2 positions, not {self.n_positions}")
        for name in ("jump", "new_share"):
            if not 0 <= getattr(self, name) <= 1:
                raise UserError(f"languages: {name} must lie in [0, 1], not {getattr(self, name)}")

    def old_batch(self, generator: torch.Generator, n: int) -> Tensor:
        """Return n sequences of language A, each n_positions + 1 long."""
        half = self.vocabulary // 2
        length = self.n_positions + 1
        leaps = torch.randint(1, half, (n, length), generator=generator)
        stays = torch.rand(n, length, generator=generator) >= self.jump
        steps = torch.where(stays, 1, leaps)
        steps[:, 0] = leaps[:, 0]
        return steps.cumsum(1) % half

    def new_batch(self, generator: torch.Generator, n: int) -> Tensor:
        """Return n sequences of language B: half a random string, then the same again."""
        half = self.vocabulary // 2
        period = (self.n_positions + 1) // 2
        string = torch.randint(0, half, (n, period), generator=generator)
        return half + string.repeat(1, 3)[:, : self.n_positions + 1]

    def batch(self, generator: torch.Generator, n: int, *, new: bool) -> Tensor:
        """Return a batch of stage A, or, where `new`, of stage B: old sequences first."""
        if not new:
            return self.old_batch(generator, n)
        n_new = round(self.new_share * n)
        old = self.old_batch(generator, n - n_new)
        return torch.cat([old, self.new_batch(generator, n_new)])
