"""The two orders of a head's channels under rotary embedding.

In: a query or key projection [heads * C, D]. Out: the same rows in the other order.
Half-split (Hugging Face, Herd): channel i turns with i + C/2. Interleaved (Meta, GGUF): 2i with 2i + 1.
Never: a change of any value; going there and back is the identity to the bit.
"""

import torch


def to_interleaved(weight: torch.Tensor, head_dim: int) -> torch.Tensor:
    """Reorder rows from half-split to interleaved."""
    by_head = weight.reshape(-1, 2, head_dim // 2, weight.shape[-1])
    return by_head.transpose(1, 2).reshape(weight.shape)


def to_half_split(weight: torch.Tensor, head_dim: int) -> torch.Tensor:
    """Reorder rows from interleaved to half-split."""
    by_head = weight.reshape(-1, head_dim // 2, 2, weight.shape[-1])
    return by_head.transpose(1, 2).reshape(weight.shape)


def is_rotated(name: str) -> bool:
    """Whether Herd's tensor `name` is a projection whose rows the two layouts order differently."""
    return name.endswith((".attention.q.weight", ".attention.k.weight"))
