"""Root-mean-square normalisation (Zhang and Sennrich 2019), the only norm of Llama.

In: activations and a per-channel weight. Out: activations of the same shape and dtype.
Never: parameters or modules; those are in `herd.model`.
"""

import torch
from torch.nn import functional


def rms_norm_plain(x_BTD: torch.Tensor, weight_D: torch.Tensor, eps: float) -> torch.Tensor:
    """Normalise over the last dimension in float32, cast back, then multiply by the weight.

    The order (cast, then weight) is that of Meta's code and of `transformers`.
    """
    x32_BTD = x_BTD.float()
    scale_BT1 = torch.rsqrt(x32_BTD.square().mean(-1, keepdim=True) + eps)
    return (x32_BTD * scale_BT1).to(x_BTD.dtype) * weight_D


def rms_norm(x_BTD: torch.Tensor, weight_D: torch.Tensor, eps: float) -> torch.Tensor:
    """Do what `rms_norm_plain` does, through PyTorch's own operator."""
    return functional.rms_norm(x_BTD, (x_BTD.shape[-1],), None, eps) * weight_D
