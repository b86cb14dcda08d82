"""Matrix products in 8-bit floats (e4m3), one scale per row, as Llama 3 405B is served.

In: weights or activations. Out: 8-bit floats with their scales, or the product of both.
Never: modules, or which matrices of a model deserve it; that is `herd.model`.
Source: The Llama 3 Herd of Models, section 6.2; the formula is that of FBGEMM's
`quantize_fp8_per_row`, which Meta's inference calls. Shapes: M rows, N outputs, K inputs.
"""

import torch

LARGEST_FP8 = 448.0
# Dates and the like make outliers of their row's maximum; beyond it they are cut off, so that the
# other values of the row do not drown (the paper's section 6.2).
ACTIVATION_SCALE_UB = 1200.0
SMALLEST_SCALE = 1.0 / (LARGEST_FP8 * 512.0)
ROW_WISE_CAPABILITY = (9, 0)  # Hopper has the first tensor cores that scale by rows
TENSOR_CORE_MULTIPLE = 16


def quantize_fp8_rows(
    x_MK: torch.Tensor, scale_ub: float | None = None
) -> tuple[torch.Tensor, torch.Tensor]:
    """Return e4m3 values [M, K] and their float32 scales [M, 1].

    The scale is the row's largest magnitude / 448; with `scale_ub` the magnitude counts as that at
    most, and what exceeds it saturates.
    """
    x32_MK = x_MK.float()
    largest_M1 = x32_MK.abs().amax(-1, keepdim=True)
    if scale_ub is not None:
        largest_M1 = largest_M1.clamp(max=scale_ub)
    scale_M1 = (largest_M1 / LARGEST_FP8).clamp(min=SMALLEST_SCALE)
    # PyTorch's cast makes NaN of what is out of range; FBGEMM's saturates.
    scaled_MK = (x32_MK / scale_M1).clamp_(-LARGEST_FP8, LARGEST_FP8)
    return scaled_MK.to(torch.float8_e4m3fn), scale_M1


def dequantize_fp8(q_MK: torch.Tensor, scale_M1: torch.Tensor) -> torch.Tensor:
    """Return value times scale in float32, shape [M, K]."""
    return q_MK.float() * scale_M1


def fp8_linear_plain(
    x_MK: torch.Tensor,
    weight_NK: torch.Tensor,
    weight_scale_N1: torch.Tensor,
    scale_ub: float | None = ACTIVATION_SCALE_UB,
) -> torch.Tensor:
    """Return x times the transposed weight, both in e4m3, shape [M, N], x's dtype.

    Products of 8-bit floats are exact in float32, in which they are summed: what tensor cores
    compute, on any machine.
    """
    x_q_MK, x_scale_M1 = quantize_fp8_rows(x_MK, scale_ub)
    product_MN = x_q_MK.float() @ weight_NK.float().T
    return (product_MN * x_scale_M1 * weight_scale_N1.T).to(x_MK.dtype)


def fp8_linear(
    x_MK: torch.Tensor,
    weight_NK: torch.Tensor,
    weight_scale_N1: torch.Tensor,
    scale_ub: float | None = ACTIVATION_SCALE_UB,
) -> torch.Tensor:
    """Do what `fp8_linear_plain` does on the tensor cores of a GPU that has them."""
    if not _has_kernel(x_MK, weight_NK):
        return fp8_linear_plain(x_MK, weight_NK, weight_scale_N1, scale_ub)
    x_q_MK, x_scale_M1 = quantize_fp8_rows(x_MK, scale_ub)
    out_MN: torch.Tensor = torch._scaled_mm(
        x_q_MK,
        weight_NK.T,
        scale_a=x_scale_M1,
        scale_b=weight_scale_N1.T,
        out_dtype=torch.bfloat16,  # the only one that row-wise scales have a kernel for
        use_fast_accum=True,
    )
    return out_MN.to(x_MK.dtype)


def _has_kernel(x_MK: torch.Tensor, weight_NK: torch.Tensor) -> bool:
    fits = all(size % TENSOR_CORE_MULTIPLE == 0 for size in weight_NK.shape)
    if not (x_MK.is_cuda and fits):
        return False
    return torch.cuda.get_device_capability(x_MK.device) >= ROW_WISE_CAPABILITY
