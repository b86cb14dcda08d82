"""A model's weights in the layout of the C kernels.

In: a `Transformer`, quantized or not. Out: a `ModelStruct` and the memory that it points to.
Never: another number than the model has: float32, bfloat16 and int8 weights are moved, not changed.
"""

from __future__ import annotations

import ctypes
import math
import threading
from collections.abc import Iterable, Sequence
from concurrent.futures import ThreadPoolExecutor
from typing import cast

import numpy as np
import torch
from torch import nn

from herd.foundation import available_cores
from herd.inference.native.structures import (
    BFLOAT16,
    FLOAT32,
    INT8,
    LayerStruct,
    MatrixStruct,
    ModelStruct,
)
from herd.model import Block, Int8Linear, Transformer

PANEL = 16  # output channels that lie together


class Space:
    """Memory for many matrices, in few large pieces: NumPy asks the system for huge pages for those,
    and a step that streams through all weights then looks up fewer addresses.
    """

    PIECE_BYTES = 32 << 20
    ALIGNMENT = 64

    def __init__(self) -> None:
        self._free = torch.empty(0, dtype=torch.uint8)
        self._lock = threading.Lock()

    def take(self, shape: tuple[int, ...], dtype: torch.dtype) -> torch.Tensor:
        """Return a tensor, not filled; the memory lives as long as one of its tensors.

        Any thread may call it.
        """
        n_bytes = math.prod(shape) * dtype.itemsize
        n_taken = -(-n_bytes // self.ALIGNMENT) * self.ALIGNMENT
        with self._lock:
            if n_taken > len(self._free):
                piece = np.empty(max(n_taken, self.PIECE_BYTES) + self.ALIGNMENT, np.uint8)
                self._free = torch.from_numpy(piece)[-piece.ctypes.data % self.ALIGNMENT :]
            taken, self._free = self._free[:n_bytes], self._free[n_taken:]
        return taken.view(dtype).view(shape)


class PackedMatrices:
    """Makes structs of matrices and vectors, and keeps the memory that they point to."""

    def __init__(self, library: ctypes.CDLL) -> None:
        self._library = library
        self._memory: list[torch.Tensor] = []
        self._space = Space()

    def vector(self, weight: torch.Tensor) -> int:
        return self._keep(weight.detach().float().contiguous())

    def _keep(self, tensor: torch.Tensor) -> int:
        self._memory.append(tensor)
        return tensor.data_ptr()

    def matrix(self, parts: Sequence[nn.Module], *, alternate: bool = False) -> MatrixStruct:
        """Stack matrices by output channel, or let their panels alternate.

        Raises ValueError for a kind of weight that has no kernel.
        """
        join = _alternate_panels if alternate else _stack
        integers = [part for part in parts if isinstance(part, Int8Linear)]
        if len(integers) == len(parts):
            return self._int8_matrix(
                join([part.weight_q_NK for part in integers]),
                join([part.scale_NG for part in integers]),
            )
        weights = [p.weight.detach() for p in parts if isinstance(p, nn.Linear | nn.Embedding)]
        if len(weights) < len(parts) or len({weight.dtype for weight in weights}) > 1:
            raise ValueError(f"no kernel for {', '.join(type(part).__name__ for part in parts)}")
        if weights[0].dtype == torch.bfloat16:
            return self._float_matrix(join(weights).contiguous(), BFLOAT16, "bfloat16")
        return self._float_matrix(
            join([w.float() for w in weights]).contiguous(), FLOAT32, "float32"
        )

    def _float_matrix(self, weight_NK: torch.Tensor, kind: int, name: str) -> MatrixStruct:
        n_out, n_in = weight_NK.shape
        packed = self._space.take((_padded(n_out), n_in), weight_NK.dtype)
        pack = getattr(self._library, f"herd_pack_{name}")
        pack(weight_NK.data_ptr(), n_out, n_in, packed.data_ptr())
        return MatrixStruct(kind=kind, n_out=len(packed), n_in=n_in, values=self._keep(packed))

    def _int8_matrix(self, q_NK: torch.Tensor, scale_NG: torch.Tensor) -> MatrixStruct:
        (n_out, n_in), n_groups = q_NK.shape, scale_NG.shape[1]
        q_NK, scale_NG = q_NK.contiguous(), scale_NG.contiguous()
        packed = self._space.take((_padded(n_out), n_in), torch.int8)
        scales = self._space.take((_padded(n_out), n_groups), torch.float16)
        self._library.herd_pack_int8(
            q_NK.data_ptr(), scale_NG.data_ptr(), n_out, n_in, packed.data_ptr(), scales.data_ptr()
        )
        return MatrixStruct(
            kind=INT8,
            n_out=len(packed),
            n_in=n_in,
            values=self._keep(packed),
            scales=self._keep(scales),
        )


class PackedWeights(PackedMatrices):
    """`struct` is what C reads; it lives as long as this object. Copies; the model is not needed after."""

    def __init__(self, model: Transformer, library: ctypes.CDLL) -> None:
        """Pack everything. Raises ValueError for a kind of weight that has no kernel."""
        super().__init__(library)
        config = model.config
        blocks = cast(Iterable[Block], model.layers)
        with ThreadPoolExecutor(available_cores()) as threads:  # C lets go of Python's lock
            layers = (LayerStruct * config.n_layers)(*threads.map(self._layer, blocks))
        head = model.output if hasattr(model, "output") else model.embedding
        self.struct = ModelStruct(
            n_layers=config.n_layers,
            dim=config.dim,
            n_heads=config.n_heads,
            n_kv_heads=config.n_kv_heads,
            head_dim=config.head_dim,
            norm_eps=config.norm_eps,
            layers=layers,
            final_norm=self.vector(model.norm.weight),
            head=self.matrix([head]),
        )
        self._layers = layers

    @property
    def head_width(self) -> int:
        """Return the vocabulary's size in whole panels, which is the width of C's logits."""
        return int(self.struct.head.n_out)

    def _layer(self, block: Block) -> LayerStruct:
        attention, feed_forward = block.attention, block.feed_forward
        return LayerStruct(
            attention_norm=self.vector(block.attention_norm.weight),
            feed_forward_norm=self.vector(block.feed_forward_norm.weight),
            qkv=self.matrix([attention.q, attention.k, attention.v]),
            o=self.matrix([attention.o]),
            gate_up=self.matrix([feed_forward.gate, feed_forward.up], alternate=True),
            down=self.matrix([feed_forward.down]),
        )


def _padded(n: int) -> int:
    return -(-n // PANEL) * PANEL


def _stack(parts: Sequence[torch.Tensor]) -> torch.Tensor:
    return torch.cat(list(parts))


def _alternate_panels(parts: Sequence[torch.Tensor]) -> torch.Tensor:
    """Return panels of all parts in turn, each part filled up to whole panels with zeros."""
    n_rows, width = _padded(len(parts[0])), parts[0].shape[1]
    filled = parts[0].new_zeros(len(parts), n_rows, width)
    for one, part in zip(filled, parts, strict=True):
        one[: len(part)] = part
    return filled.view(len(parts), -1, PANEL, width).transpose(0, 1).reshape(-1, width)
