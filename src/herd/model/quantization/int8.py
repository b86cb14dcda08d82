"""A linear layer whose weights are 8-bit integers in groups of 32, about 1.06 bytes each.

In: an `nn.Linear`, or the integers and scales of a file. Out: a module that stands in its place.
Never: training; the integers have no gradient.
"""

from collections.abc import Callable

import torch
from torch import nn

from herd import ops
from herd.model.quantization.fixed_dtypes import apply_keeping_dtypes
from herd.model.quantization.row_blocks import quantize_in_blocks


class Int8Linear(nn.Module):
    """`nn.Linear` without bias in the numbers of `ops.int8_linear`.

    Buffers: `weight_q_NK`, int8 [outputs, inputs up to a multiple of 32], and `scale_NG`, float16
    [outputs, groups]. They keep their dtype when the model is cast to another.
    """

    def __init__(
        self, weight_q_NK: torch.Tensor, scale_NG: torch.Tensor, *, in_features: int
    ) -> None:
        super().__init__()
        self.in_features = in_features
        self.out_features = len(weight_q_NK)
        self.weight_q_NK: torch.Tensor
        self.scale_NG: torch.Tensor
        self.register_buffer("weight_q_NK", weight_q_NK)
        self.register_buffer("scale_NG", scale_NG)

    @classmethod
    def of(cls, weight_NK: torch.Tensor) -> "Int8Linear":
        """Quantise a matrix. Raises ValueError when it is not finite."""
        weight_q_NK, scale_NG = quantize_in_blocks(ops.quantize_int8_weight, weight_NK)
        return cls(weight_q_NK, scale_NG, in_features=weight_NK.shape[1])

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        """Return the layer's output in the input's dtype, shape [..., outputs]."""
        rows_MK = x.reshape(-1, self.in_features)
        out_MN = ops.int8_linear(rows_MK, self.weight_q_NK, self.scale_NG)
        return out_MN.view(*x.shape[:-1], self.out_features)

    def dequantized(self) -> torch.Tensor:
        """Return the matrix that the integers stand for, float32 [outputs, inputs]."""
        return ops.dequantize_int8(self.weight_q_NK, self.scale_NG)[:, : self.in_features]

    def extra_repr(self) -> str:
        """Return what `print(model)` shows."""
        return f"in_features={self.in_features}, out_features={self.out_features}"

    def _apply(
        self, fn: Callable[[torch.Tensor], torch.Tensor], recurse: bool = True
    ) -> "Int8Linear":
        apply_keeping_dtypes(self, fn)
        return self
