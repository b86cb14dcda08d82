"""Keys and values in blocks of 16 tokens, which any sequence may hold in any order.

In: a model's shape and a number of blocks. Out: two tensors, and what of them a byte budget buys.
Never: who holds which block; the block pool knows.
"""

from __future__ import annotations

import math

import numpy as np
import torch

from herd.model import ModelConfig

BLOCK_TOKENS = 16  # one vector of 16 scores; of a sequence at most 15 places lie idle


class PagedCache:
    """`keys_NLKCP` and `values_NLKPC`: block, layer, key-value head, channel, place in the block.

    A block's keys lie transposed, so that 16 scores are one row of vectors; its values do not, so
    that a mix of values is one too. All layers of a block
    lie together, so that only blocks in use take memory. Zeros at birth: a masked place is multiplied by 0, not skipped.
    """

    def __init__(
        self,
        config: ModelConfig,
        n_blocks: int,
        *,
        dtype: torch.dtype,
        device: torch.device | None = None,
    ) -> None:
        shape = (n_blocks, config.n_layers, config.n_kv_heads)
        self.n_blocks = n_blocks
        self.keys_NLKCP = _zeros((*shape, config.head_dim, BLOCK_TOKENS), dtype, device)
        self.values_NLKPC = _zeros((*shape, BLOCK_TOKENS, config.head_dim), dtype, device)

    def copy_block(self, source: int, target: int) -> None:
        """Make block `target` equal to block `source` in every layer."""
        self.keys_NLKCP[target] = self.keys_NLKCP[source]
        self.values_NLKPC[target] = self.values_NLKPC[source]


def block_bytes(config: ModelConfig, dtype: torch.dtype) -> int:
    """Return the bytes of one block: keys and values of 16 tokens in all layers."""
    per_token = 2 * config.n_layers * config.n_kv_heads * config.head_dim
    return BLOCK_TOKENS * per_token * dtype.itemsize


def _zeros(shape: tuple[int, ...], dtype: torch.dtype, device: torch.device | None) -> torch.Tensor:
    """Return zeros which, on a CPU, take no memory before they are written: torch writes its own."""
    if device is not None and device.type != "cpu":
        return torch.zeros(shape, dtype=dtype, device=device)
    n_bytes = math.prod(shape) * dtype.itemsize
    return torch.from_numpy(np.zeros(n_bytes, np.uint8)).view(dtype).view(shape)
