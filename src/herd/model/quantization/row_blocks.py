"""Quantise a large matrix without several float32 copies of it in memory at once.

In: a matrix and what quantises rows. Out: what it gives for the whole.
Never: a scale that spans rows; blocks would then differ from the whole.
"""

from collections.abc import Callable

import torch

BLOCK_VALUES = 1 << 22  # float32 temporaries stay within some tens of megabytes

Quantize = Callable[[torch.Tensor], tuple[torch.Tensor, torch.Tensor]]


def quantize_in_blocks(
    quantize: Quantize, weight_NK: torch.Tensor
) -> tuple[torch.Tensor, torch.Tensor]:
    """Return the values and scales of all rows, computed some rows at a time."""
    n_rows = max(1, BLOCK_VALUES // weight_NK.shape[1])
    blocks = [quantize(rows) for rows in torch.split(weight_NK.detach(), n_rows)]
    values, scales = zip(*blocks, strict=True)
    return torch.cat(values), torch.cat(scales)
