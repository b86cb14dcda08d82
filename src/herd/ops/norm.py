"""Root-mean-square normalisation (Zhang and Sennrich 2019), the only norm of Llama.

In: activations and a per-channel weight. Out: activations of the same shape, in the dtype that the
next matrix product takes.
Never: parameters or modules; those are in `herd.model`.
"""

from typing import Any

import torch
from torch.nn import functional

from herd.ops.precision import matmul_dtype, sum_dtype


def rms_norm_plain(x_BTD: torch.Tensor, weight_D: torch.Tensor, eps: float) -> torch.Tensor:
    """Normalise over the last dimension in float32, cast back, then multiply by the weight.

    The order (cast, then weight) is that of Meta's code and of `transformers`. Under autocast the
    result is cast to autocast's dtype: matrix products follow, and one cast serves them all.
    """
    x32_BTD = x_BTD.to(sum_dtype(x_BTD))
    inverse_BT1 = torch.rsqrt(x32_BTD.square().mean(-1, keepdim=True) + eps)
    return ((x32_BTD * inverse_BT1).to(x_BTD.dtype) * weight_D).to(matmul_dtype(x_BTD))


def rms_norm(x_BTD: torch.Tensor, weight_D: torch.Tensor, eps: float) -> torch.Tensor:
    """Do what `rms_norm_plain` does in fewer passes over memory.

    A compiler fuses the plain version better than we could; CUDA has a kernel; in eager mode on a
    CPU a backward pass by hand makes fewer passes than PyTorch's composite.
    """
    if torch.compiler.is_compiling():
        return rms_norm_plain(x_BTD, weight_D, eps)
    if x_BTD.is_cuda:
        normed_BTD = functional.rms_norm(x_BTD, (x_BTD.shape[-1],), None, eps)
        return (normed_BTD * weight_D).to(matmul_dtype(x_BTD))
    normed: torch.Tensor = _RmsNorm.apply(  # type: ignore[no-untyped-call]
        x_BTD, weight_D, eps, matmul_dtype(x_BTD)
    )
    return normed


class _RmsNorm(torch.autograd.Function):
    @staticmethod
    def forward(
        ctx: Any, x_BTD: torch.Tensor, weight_D: torch.Tensor, eps: float, out_dtype: torch.dtype
    ) -> torch.Tensor:
        x32_BTD = x_BTD.to(sum_dtype(x_BTD))
        norm_BT1 = torch.linalg.vector_norm(x32_BTD, dim=-1, keepdim=True)
        inverse_BT1 = torch.rsqrt(norm_BT1.square() / x_BTD.shape[-1] + eps)
        ctx.save_for_backward(x_BTD, weight_D, inverse_BT1)
        return ((x32_BTD * inverse_BT1).to(x_BTD.dtype) * weight_D).to(out_dtype)

    @staticmethod
    @torch.autograd.function.once_differentiable
    def backward(ctx: Any, grad_BTD: torch.Tensor) -> tuple[torch.Tensor | None, ...]:
        """With y = x / rms: dx = (g w - y mean(g w y)) / rms, dw = sum of g y over tokens."""
        x_BTD, weight_D, inverse_BT1 = ctx.saved_tensors
        y_BTD = x_BTD.to(sum_dtype(x_BTD)) * inverse_BT1
        grad32_BTD = grad_BTD.to(y_BTD.dtype)
        grad_weight_D = (grad32_BTD * y_BTD).flatten(0, -2).sum(0)
        grad_y_BTD = grad32_BTD * weight_D
        mean_BT1 = torch.linalg.vecdot(grad_y_BTD, y_BTD)[..., None] / -x_BTD.shape[-1]
        grad_x_BTD = grad_y_BTD.addcmul_(y_BTD, mean_BT1).mul_(inverse_BT1)
        return grad_x_BTD.to(x_BTD.dtype), grad_weight_D.to(weight_D.dtype), None, None
