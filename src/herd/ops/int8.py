"""Matrix products in 8-bit integers: one scale per 32 neighbours in a row, as GGUF's Q8_0 has it.

In: weights or activations. Out: integers with their scales, or the product of both.
Never: modules, or which matrices of a model deserve it; that is `herd.model`.
Shapes: M rows of activations, N outputs, K inputs, G groups of 32 inputs (the last one padded with
zeros, so K is a multiple of 32 wherever integers are stored).
"""

import torch
from torch.nn import functional

INT8_GROUP = 32
LARGEST_INT8 = 127  # symmetric: -128 is never used


def quantize_int8_weight(weight_NK: torch.Tensor) -> tuple[torch.Tensor, torch.Tensor]:
    """Return int8 [N, K up to a multiple of 32] and its float16 scales [N, G].

    The scale is the group's largest magnitude / 127, rounded to float16; the integers are rounded
    (half to even) by the rounded scale, so the error of a weight is at most half a scale. Groups
    below float16's reach become zeros. Raises ValueError where a scale exceeds float16.
    """
    grouped_NGJ = _grouped(weight_NK)
    scale_NG = (grouped_NGJ.abs().amax(-1) / LARGEST_INT8).to(torch.float16)
    if not scale_NG.isfinite().all():
        raise ValueError("a weight is not finite, or too large for a float16 scale")
    return _rounded(grouped_NGJ, scale_NG.float()).flatten(1), scale_NG


def quantize_int8_activations(x_MK: torch.Tensor) -> tuple[torch.Tensor, torch.Tensor]:
    """Return int8 [M, K up to a multiple of 32] and its float32 scales [M, G], row by row.

    A group of which 127 / largest is no number (zeros, or below 4e-37) becomes zeros.
    """
    grouped_MGJ = _grouped(x_MK)
    largest_MG = grouped_MGJ.abs().amax(-1)
    steps_MG = (LARGEST_INT8 / largest_MG).nan_to_num(posinf=0.0)
    q_MGJ = (grouped_MGJ * steps_MG[..., None]).round().to(torch.int8)
    return q_MGJ.flatten(1), largest_MG / LARGEST_INT8


def dequantize_int8(q_NK: torch.Tensor, scale_NG: torch.Tensor) -> torch.Tensor:
    """Return integer times scale in float32, shape [N, K]; exact for float16 scales."""
    grouped_NGJ = q_NK.float().view(len(q_NK), q_NK.shape[1] // INT8_GROUP, INT8_GROUP)
    return (grouped_NGJ * scale_NG.float()[..., None]).flatten(-2)


def int8_linear_plain(
    x_MK: torch.Tensor, weight_q_NK: torch.Tensor, scale_NG: torch.Tensor
) -> torch.Tensor:
    """Return x times the transposed weight, both as 8-bit integers, shape [M, N], x's dtype.

    Per group of 32 an exact integer dot product, times both scales in float32, summed in the order
    of the groups: what an integer kernel computes. (32 products of 127 * 127 are exact in float32.)
    """
    x_q_MK, x_scale_MG = quantize_int8_activations(x_MK)
    weight_scale_NG = scale_NG.float()
    out_MN = x_scale_MG.new_zeros(len(x_MK), len(weight_q_NK))
    for group, start in enumerate(range(0, weight_q_NK.shape[1], INT8_GROUP)):
        inputs = slice(start, start + INT8_GROUP)
        dot_MN = x_q_MK[:, inputs].float() @ weight_q_NK[:, inputs].float().T
        out_MN += dot_MN * weight_scale_NG[:, group] * x_scale_MG[:, group, None]
    return out_MN.to(x_MK.dtype)


def int8_linear(
    x_MK: torch.Tensor, weight_q_NK: torch.Tensor, scale_NG: torch.Tensor
) -> torch.Tensor:
    """Do what `int8_linear_plain` does as one float32 product, equal up to its roundings.

    On a GPU the activations stay as they are: without an integer kernel for groups, rounding them
    would cost accuracy and buy nothing.
    """
    weight_NK = dequantize_int8(weight_q_NK, scale_NG)
    if x_MK.is_cuda:
        return functional.linear(x_MK, weight_NK[:, : x_MK.shape[1]].to(x_MK.dtype))
    rounded_MK = dequantize_int8(*quantize_int8_activations(x_MK))
    return functional.linear(rounded_MK, weight_NK).to(x_MK.dtype)


def _grouped(values_RK: torch.Tensor) -> torch.Tensor:
    """Return float32 in groups of 32, the last filled up with zeros, shape [R, G, 32]."""
    padding = -values_RK.shape[-1] % INT8_GROUP
    padded_RK = functional.pad(values_RK.float(), (0, padding))
    n_groups = padded_RK.shape[-1] // INT8_GROUP  # not -1: there may be no rows
    return padded_RK.reshape(len(padded_RK), n_groups, INT8_GROUP)


def _rounded(grouped_RGJ: torch.Tensor, scale_RG: torch.Tensor) -> torch.Tensor:
    # A group of zeros has scale 0, and 0 / 0 is not 0.
    divisor_RG1 = torch.where(scale_RG > 0, scale_RG, torch.inf)[..., None]
    # The clamp acts only where a scale below float16's normal range was rounded down by much.
    scaled_RGJ = (grouped_RGJ / divisor_RG1).round_().clamp_(-LARGEST_INT8, LARGEST_INT8)
    return scaled_RGJ.to(torch.int8)
