"""A linear layer whose weights are 8-bit floats with one scale per row.

In: an `nn.Linear`'s matrix, or the values and scales of a file. Out: a module in its place.
Never: training; the layer is for inference, as the paper uses it.
"""

from collections.abc import Callable

import torch
from torch import nn

from herd import ops
from herd.model.quantization.fixed_dtypes import apply_keeping_dtypes
from herd.model.quantization.row_blocks import quantize_in_blocks


class Fp8Linear(nn.Module):
    """`nn.Linear` without bias in the numbers of `ops.fp8_linear`.

    Buffers: `weight`, float8_e4m3fn [outputs, inputs], and `weight_scale_N1`, float32 [outputs, 1].
    They keep their dtype when the model is cast to another. `scale_ub` is the largest magnitude of
    a row of activations that its scale follows; None follows every one.
    """

    def __init__(
        self,
        weight_NK: torch.Tensor,
        weight_scale_N1: torch.Tensor,
        *,
        scale_ub: float | None = ops.ACTIVATION_SCALE_UB,
    ) -> None:
        super().__init__()
        self.out_features, self.in_features = weight_NK.shape
        self.scale_ub = scale_ub
        self.weight: torch.Tensor
        self.weight_scale_N1: torch.Tensor
        self.register_buffer("weight", weight_NK)
        self.register_buffer("weight_scale_N1", weight_scale_N1)

    @classmethod
    def of(cls, weight_NK: torch.Tensor) -> "Fp8Linear":
        """Quantise a matrix. Raises ValueError when it is not finite."""
        if not weight_NK.isfinite().all():
            raise ValueError("a weight is not finite")
        return cls(*quantize_in_blocks(ops.quantize_fp8_rows, weight_NK))

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        """Return the layer's output in the input's dtype, shape [..., outputs]."""
        rows_MK = x.reshape(-1, self.in_features)
        out_MN = ops.fp8_linear(rows_MK, self.weight, self.weight_scale_N1, self.scale_ub)
        return out_MN.view(*x.shape[:-1], self.out_features)

    def dequantized(self) -> torch.Tensor:
        """Return the matrix that values and scales stand for, float32 [outputs, inputs]."""
        return ops.dequantize_fp8(self.weight, self.weight_scale_N1)

    def extra_repr(self) -> str:
        """Return what `print(model)` shows."""
        return f"in_features={self.in_features}, out_features={self.out_features}"

    def _apply(
        self, fn: Callable[[torch.Tensor], torch.Tensor], recurse: bool = True
    ) -> "Fp8Linear":
        apply_keeping_dtypes(self, fn)
        return self
