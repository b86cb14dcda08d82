"""Hold the logarithm of the softmax's normaliser near 0.

In: logits. Out: the sum of coefficient * log(Z)^2 over tokens, to be added to the loss sum.
Never: a mean; the caller divides by tokens, as with the cross-entropy.
Source: PaLM (Chowdhery et al. 2022) and Wortsman et al. 2023 (arXiv 2309.14322), coefficient 1e-4.
"""

import torch
from torch import Tensor

from herd.foundation import UserError


def z_loss(logits_NV: Tensor, mask_N: Tensor | None = None, *, coefficient: float = 1e-4) -> Tensor:
    """Return the sum over tokens of coefficient * log(Z)^2, a scalar in float32 or wider.

    Z is the sum of exp(logits). `mask_N` weighs tokens, 0 leaves one out. The gradient by a
    token's logits is 2 coefficient log(Z) softmax(logits). Raises UserError for a coefficient that
    is negative or not finite.
    """
    if not 0 <= coefficient < float("inf"):
        raise UserError(f"the coefficient of z-loss must be 0 or above, not {coefficient}")
    wide_NV = logits_NV.to(torch.promote_types(logits_NV.dtype, torch.float32))
    squares_N = torch.logsumexp(wide_NV, dim=-1).square()
    if mask_N is not None:
        squares_N = torch.where(mask_N != 0, squares_N * mask_N, 0.0)
    return coefficient * squares_N.sum()
