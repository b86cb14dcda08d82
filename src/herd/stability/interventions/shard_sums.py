"""Sums over whole tensors when every rank holds only a part.

In: one local sum a tensor. Out: the sums over all ranks that share the tensor.
Never: a collective for tensors that lie whole on every rank.
"""

from collections.abc import Callable, Sequence
from typing import Any

import torch
from torch import Tensor, distributed
from torch.distributed.tensor import DTensor, Replicate

ReduceSums = Callable[[Tensor, Sequence[Tensor]], Tensor]
"""Takes one local sum a tensor, shape [T], and the T parameters; returns the sums over all ranks."""


def sum_over_shards(sums_T: Tensor, parameters: Sequence[Tensor]) -> Tensor:
    """Add up what DTensors split over their mesh; other tensors keep their own sum.

    Every rank must call it with the same tensors in the same order.
    """
    rows_of: dict[tuple[Any, int], list[int]] = {}
    for row, parameter in enumerate(parameters):
        if isinstance(parameter, DTensor):
            for mesh_dim, placement in enumerate(parameter.placements):
                if not isinstance(placement, Replicate):  # Shard, or strided under FSDP with TP
                    rows_of.setdefault((parameter.device_mesh, mesh_dim), []).append(row)
    sums = list(sums_T.unbind())
    for (mesh, mesh_dim), rows in rows_of.items():
        part = torch.stack([sums[row] for row in rows])
        distributed.all_reduce(part, group=mesh.get_group(mesh_dim))
        for row, total in zip(rows, part.unbind(), strict=True):
            sums[row] = total
    return torch.stack(sums)


def stacked(numbers: Sequence[Tensor]) -> Tensor:
    """Return scalars as one vector on the first one's device, in float32 or wider."""
    return torch.stack([number.to(numbers[0].device) for number in numbers])


def on_device(number: float | Tensor, device: torch.device) -> Tensor:
    """Return a number as a float64 scalar on the device, by a fill and not by a copy that waits."""
    if isinstance(number, Tensor):
        return number.detach().reshape(()).to(device=device, dtype=torch.float64)
    return torch.full((), number, dtype=torch.float64, device=device)
