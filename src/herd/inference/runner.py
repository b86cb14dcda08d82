"""What the engine asks of a model: run these tokens of these sequences, give their logits.

In: chunks of tokens with the blocks that hold their keys and values. Out: logits.
Never: which sequences run, or what is drawn from the logits; the scheduler and the sampler know.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Protocol

import torch

from herd.model import ModelConfig


@dataclass(frozen=True, kw_only=True, slots=True)
class Chunk:
    """New tokens of one sequence: a part of its prompt, or what was drawn or proposed last.

    `start` is the position of the first, so `start` tokens lie in the cache already. `blocks` is the
    sequence's block table, long enough for `start + len(tokens)` tokens. Logits are wanted after
    each of the last `n_logits` tokens: 0 in the middle of a prompt, 1 in decoding.
    """

    tokens: Sequence[int]
    start: int
    blocks: Sequence[int]
    n_logits: int = 1


class Runner(Protocol):
    """A model with its paged cache. Rows of a step never influence each other's meaning."""

    config: ModelConfig
    n_blocks: int

    def run(self, chunks: Sequence[Chunk]) -> torch.Tensor:
        """Write the chunks' keys and values; return logits, float32 [sum of n_logits, V], on the CPU
        or the model's device, chunk after chunk. They hold until the next run.
        """
        ...

    def copy_block(self, source: int, target: int) -> None:
        """Copy all layers' keys and values of one block to another (copy-on-write)."""
        ...
