"""Buffers whose dtype is their meaning: `model.to(torch.bfloat16)` moves them but never casts them.

In: a module and what `nn.Module._apply` was given. Out: the module's buffers, moved.
Never: parameters; modules of quantised weights have none.
"""

from collections.abc import Callable

import torch
from torch import nn


def apply_keeping_dtypes(module: nn.Module, fn: Callable[[torch.Tensor], torch.Tensor]) -> None:
    """Apply a move (to a device, to shared memory) to the buffers, of a cast only its move."""
    for name, buffer in module._buffers.items():
        if buffer is not None:
            # A cast would read all values only to be thrown away; an empty stand-in shows where to.
            stand_in = fn(buffer[:0])
            moved = fn(buffer) if stand_in.dtype == buffer.dtype else buffer.to(stand_in.device)
            module._buffers[name] = moved
