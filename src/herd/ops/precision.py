"""Which dtype the matrix products of this moment run in.

In: a tensor. Out: autocast's dtype where autocast is on, else the tensor's own.
Never: a choice of precision; whoever opened the autocast context made it.
"""

import torch


def matmul_dtype(x: torch.Tensor) -> torch.dtype:
    """Return the dtype to which autocast would take this tensor before a matrix product."""
    device_type = x.device.type
    if device_type != "meta" and torch.is_autocast_enabled(device_type):  # meta knows no autocast
        return torch.get_autocast_dtype(device_type)
    return x.dtype


def sum_dtype(x: torch.Tensor) -> torch.dtype:
    """Return the dtype for sums over many such numbers: float32, or float64 for float64."""
    return torch.promote_types(x.dtype, torch.float32)
