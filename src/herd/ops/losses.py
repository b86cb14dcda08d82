"""Cross-entropy of the next token, plain and in chunks that never hold all logits.

In: final hidden states, the output matrix, targets, a mask. Out: the sum of the loss in nats and
the number of tokens it was taken over (the caller divides, so that accumulation and data
parallelism weigh every token alike).
Never: means, schedules, models.
"""

from typing import Any

import torch
from torch.nn import functional

CHUNK_TOKENS = 512  # rows of logits alive at once


def cross_entropy_plain(
    hidden_ND: torch.Tensor,
    weight_VD: torch.Tensor,
    targets_N: torch.Tensor,
    mask_N: torch.Tensor,
) -> tuple[torch.Tensor, torch.Tensor]:
    """Return (sum of the masked loss in nats, sum of the mask), both float32 scalars."""
    logits_NV = functional.linear(hidden_ND, weight_VD).float()
    loss_N = functional.cross_entropy(logits_NV, targets_N, reduction="none")
    return (loss_N * mask_N).sum(), mask_N.float().sum()


def cross_entropy_chunked(
    hidden_ND: torch.Tensor,
    weight_VD: torch.Tensor,
    targets_N: torch.Tensor,
    mask_N: torch.Tensor,
    *,
    chunk_tokens: int = CHUNK_TOKENS,
) -> tuple[torch.Tensor, torch.Tensor]:
    """Do what `cross_entropy_plain` does with `chunk_tokens` rows of logits at a time.

    Gradients are computed in the forward pass, chunk by chunk while the logits are at hand, and
    scaled in the backward pass; so nothing is computed twice. Matrix products run in autocast's
    dtype, softmax and sums in float32.
    """
    device_type = hidden_ND.device.type
    compute_dtype = hidden_ND.dtype
    if torch.is_autocast_enabled(device_type):
        compute_dtype = torch.get_autocast_dtype(device_type)
    loss_sum: torch.Tensor = _ChunkedCrossEntropy.apply(  # type: ignore[no-untyped-call]
        hidden_ND, weight_VD, targets_N, mask_N, chunk_tokens, compute_dtype
    )
    return loss_sum, mask_N.float().sum()


class _ChunkedCrossEntropy(torch.autograd.Function):
    @staticmethod
    def forward(
        ctx: Any,
        hidden_ND: torch.Tensor,
        weight_VD: torch.Tensor,
        targets_N: torch.Tensor,
        mask_N: torch.Tensor,
        chunk_tokens: int,
        compute_dtype: torch.dtype,
    ) -> torch.Tensor:
        needs_hidden, needs_weight = ctx.needs_input_grad[:2]
        with torch.autocast(hidden_ND.device.type, enabled=False):
            weight = weight_VD.to(compute_dtype)
            grad_hidden_ND = torch.empty_like(hidden_ND) if needs_hidden else None
            grad_weight_VD = _accumulator(weight_VD) if needs_weight else None
            loss_sum = torch.zeros((), dtype=_sum_dtype(hidden_ND), device=hidden_ND.device)
            for start in range(0, hidden_ND.shape[0], chunk_tokens):
                rows = slice(start, start + chunk_tokens)
                hidden = hidden_ND[rows].to(compute_dtype)
                loss_N, grad_logits_NV = _loss_and_grad_logits(
                    hidden, weight, targets_N[rows], mask_N[rows], needs_hidden or needs_weight
                )
                loss_sum += loss_N.sum()
                if grad_hidden_ND is not None:
                    grad_hidden_ND[rows] = grad_logits_NV @ weight
                if grad_weight_VD is not None:
                    grad_weight_VD += grad_logits_NV.T @ hidden
        ctx.save_for_backward(grad_hidden_ND, grad_weight_VD)
        ctx.weight_dtype = weight_VD.dtype
        return loss_sum

    @staticmethod
    @torch.autograd.function.once_differentiable
    def backward(ctx: Any, grad_loss: torch.Tensor) -> tuple[torch.Tensor | None, ...]:
        grad_hidden_ND, grad_weight_VD = ctx.saved_tensors
        if grad_hidden_ND is not None:
            grad_hidden_ND = grad_hidden_ND * grad_loss.to(grad_hidden_ND.dtype)
        if grad_weight_VD is not None:
            grad_weight_VD = (grad_weight_VD * grad_loss).to(ctx.weight_dtype)
        return grad_hidden_ND, grad_weight_VD, None, None, None, None


def _loss_and_grad_logits(
    hidden_ND: torch.Tensor,
    weight_VD: torch.Tensor,
    targets_N: torch.Tensor,
    mask_N: torch.Tensor,
    with_grad: bool,
) -> tuple[torch.Tensor, torch.Tensor]:
    logits_NV = hidden_ND @ weight_VD.T
    if logits_NV.dtype in (torch.bfloat16, torch.float16):
        logits_NV = logits_NV.float()
    scale_N = mask_N.to(logits_NV.dtype)
    log_probs_NV = torch.log_softmax(logits_NV, dim=-1)
    loss_N = -log_probs_NV.gather(-1, targets_N[:, None]).squeeze(-1) * scale_N
    if not with_grad:
        return loss_N, logits_NV
    grad_NV = log_probs_NV.exp_()
    grad_NV.scatter_add_(-1, targets_N[:, None], -torch.ones_like(loss_N)[:, None])
    grad_NV *= scale_N[:, None]
    return loss_N, grad_NV.to(hidden_ND.dtype)


def _sum_dtype(x: torch.Tensor) -> torch.dtype:
    return torch.promote_types(x.dtype, torch.float32)


def _accumulator(weight_VD: torch.Tensor) -> torch.Tensor:
    return torch.zeros_like(weight_VD, dtype=_sum_dtype(weight_VD))
