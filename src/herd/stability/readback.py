"""From the device to the host without waiting: a GPU's numbers are read one step late.

In: tensors on a device. Out: the same as float64 arrays; at once from a CPU, and from a GPU when the
next step asks, by when the copy has long arrived.
"""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import torch
from torch import Tensor

from herd.stability.statistics import Array


@dataclass(frozen=True, eq=False, slots=True)
class Readback:
    """Tensors on their way to the host."""

    packed: Tensor
    shapes: tuple[torch.Size, ...]
    arrived: torch.cuda.Event | None

    @classmethod
    def start(cls, tensors: Sequence[Tensor]) -> "Readback":
        """Begin to copy."""
        packed = torch.cat([tensor.reshape(-1).double() for tensor in tensors])
        shapes = tuple(tensor.shape for tensor in tensors)
        if packed.device.type != "cuda":
            return cls(packed.cpu(), shapes, None)
        host = torch.empty_like(packed, device="cpu", pin_memory=True)
        host.copy_(packed, non_blocking=True)
        arrived = torch.cuda.Event()  # type: ignore[no-untyped-call]
        arrived.record()
        return cls(host, shapes, arrived)

    @property
    def is_late(self) -> bool:
        """Whether the numbers are better asked for after the next step."""
        return self.arrived is not None

    def arrays(self) -> list[Array]:
        """Return the arrays, waiting for the copy if it has not arrived."""
        if self.arrived is not None:
            self.arrived.synchronize()
        flat: Array = self.packed.numpy()
        ends = np.cumsum([shape.numel() for shape in self.shapes])
        parts = np.split(flat, ends[:-1])
        return [part.reshape(tuple(s)) for part, s in zip(parts, self.shapes, strict=True)]
