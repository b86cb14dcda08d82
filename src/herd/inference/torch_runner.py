"""The plain runner: a `Transformer` over a paged cache, in PyTorch, on any device in any dtype.

In: chunks of a step. Out: their logits, float32. Every faster runner must equal this one.
Never: scheduling, sampling, or anything that only one kind of machine has.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence

import torch

from herd.inference.invariant_tile import TILE_TOKENS, InvariantTile
from herd.inference.packed_step import PackedStep, clear_begun_blocks
from herd.inference.paged_cache import PagedCache
from herd.inference.runner import Chunk
from herd.model import Transformer


class TorchRunner:
    """A `Runner`. The linear layers see the tokens of all chunks at once, in one row of a batch.

    With `batch_invariant`, what a token gives does not hang on what else is in the step, to the bit
    and in bfloat16 too: tokens run in tiles of 16, all in operations of the same shapes. That costs
    speed: a prompt of 512 tokens is 32 passes over the weights instead of one.
    """

    def __init__(
        self,
        model: Transformer,
        n_blocks: int,
        *,
        dtype: torch.dtype | None = None,
        batch_invariant: bool = False,
    ) -> None:
        """Allocate the cache on the model's device; `dtype` None keeps it in the model's dtype."""
        weight = model.embedding.weight
        self.config = model.config
        self.n_blocks = n_blocks
        self.cache = PagedCache(
            model.config, n_blocks, dtype=dtype or weight.dtype, device=weight.device
        )
        self._model = model
        self._batch_invariant = batch_invariant

    # Not left to the caller: logits of 512 tokens would otherwise keep their whole history alive.
    @torch.inference_mode()
    def run(self, chunks: Sequence[Chunk]) -> torch.Tensor:
        """Write the chunks' keys and values; return logits, float32 [sum of n_logits, V]."""
        if self._batch_invariant:
            return self._run_tiles(chunks)
        clear_begun_blocks(self.cache, chunks)
        step = PackedStep(self.cache, chunks)
        hidden_1TD = self._model.hidden(
            step.rows.id_N[None], position_BT=step.rows.position_N[None], cache=step
        )
        return self._model.logits(hidden_1TD[0, _wanted(chunks)])

    def copy_block(self, source: int, target: int) -> None:
        """Copy all layers' keys and values of one block to another."""
        self.cache.copy_block(source, target)

    def _run_tiles(self, chunks: Sequence[Chunk]) -> torch.Tensor:
        weight = self._model.embedding.weight
        logits_MV = [torch.empty(0, self.config.vocab_size, device=weight.device)]
        tokens = list(_single_tokens(chunks))
        for first in range(0, len(tokens), TILE_TOKENS):
            part = tokens[first : first + TILE_TOKENS]
            clear_begun_blocks(self.cache, part)
            tile = InvariantTile(self.cache, part)
            hidden_1TD = self._model.hidden(
                tile.tokens_1T, position_BT=tile.position_1T, cache=tile
            )
            wanted = [row for row, token in enumerate(part) if token.n_logits]
            if wanted:  # all 16 rows or none: the output matrix, too, is multiplied in one shape
                logits_MV.append(self._model.logits(hidden_1TD)[0, wanted])
        return torch.cat(logits_MV)


def _wanted(chunks: Sequence[Chunk]) -> list[int]:
    """Return the rows of the step after which logits are wanted."""
    rows: list[int] = []
    stop = 0
    for chunk in chunks:
        stop += len(chunk.tokens)
        rows += range(stop - chunk.n_logits, stop)
    return rows


def _single_tokens(chunks: Sequence[Chunk]) -> Iterator[Chunk]:
    """Yield every token as a chunk of its own, in order, so that what it sees is written before."""
    for chunk in chunks:
        n_silent = len(chunk.tokens) - chunk.n_logits
        for i, token in enumerate(chunk.tokens):
            yield Chunk(
                tokens=(token,),
                start=chunk.start + i,
                blocks=chunk.blocks,
                n_logits=int(i >= n_silent),
            )
