"""Cross-entropy of the next token, plain and in chunks that never hold all logits.

In: final hidden states, the output matrix, targets, a mask. Out: the sum of the loss in nats and
the number of tokens it was taken over (the caller divides, so that accumulation and data
parallelism weigh every token alike). With `z_loss` c, each token's loss grows by c * log(Z)^2, Z
being the softmax's denominator: it holds the logits near log Z = 0 (PaLM, section 5).
Never: means, schedules, models.
"""

from typing import Any

import torch
from torch.nn import functional

from herd.ops.precision import matmul_dtype, sum_dtype

CHUNK_TOKENS = 512  # rows of logits alive at once


def cross_entropy_plain(
    hidden_ND: torch.Tensor,
    weight_VD: torch.Tensor,
    targets_N: torch.Tensor,
    mask_N: torch.Tensor,
    *,
    z_loss: float = 0.0,
) -> tuple[torch.Tensor, torch.Tensor]:
    """Return (sum of mask times loss in nats, sum of the mask), both scalars."""
    logits_NV = functional.linear(hidden_ND, weight_VD)
    logits_NV = logits_NV.to(sum_dtype(logits_NV))
    loss_N = functional.cross_entropy(logits_NV, targets_N, reduction="none")
    if z_loss:
        loss_N = loss_N + z_loss * logits_NV.logsumexp(-1).square()
    return (loss_N * mask_N).sum(), mask_N.float().sum()


def cross_entropy_chunked(
    hidden_ND: torch.Tensor,
    weight_VD: torch.Tensor,
    targets_N: torch.Tensor,
    mask_N: torch.Tensor,
    *,
    z_loss: float = 0.0,
    chunk_tokens: int = CHUNK_TOKENS,
) -> tuple[torch.Tensor, torch.Tensor]:
    """Do what `cross_entropy_plain` does with `chunk_tokens` rows of logits at a time.

    Gradients are computed in the forward pass, chunk by chunk while the logits are at hand, and
    scaled in the backward pass; so nothing is computed twice. Matrix products run in autocast's
    dtype, softmax and sums in float32.
    """
    loss_sum: torch.Tensor = _ChunkedCrossEntropy.apply(  # type: ignore[no-untyped-call]
        hidden_ND, weight_VD, targets_N, mask_N, z_loss, chunk_tokens, matmul_dtype(hidden_ND)
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
        z_loss: float,
        chunk_tokens: int,
        compute_dtype: torch.dtype,
    ) -> torch.Tensor:
        needs_hidden, needs_weight = ctx.needs_input_grad[:2]
        wide = sum_dtype(hidden_ND)
        grad_hidden_ND = torch.empty_like(hidden_ND) if needs_hidden else None
        grad_weight_VD = torch.zeros_like(weight_VD, dtype=wide) if needs_weight else None
        loss_sum = torch.zeros((), dtype=wide, device=hidden_ND.device)
        weight = weight_VD.to(compute_dtype)
        for start in range(0, hidden_ND.shape[0], chunk_tokens):
            rows = slice(start, start + chunk_tokens)
            hidden = hidden_ND[rows].to(compute_dtype)
            mask_N1 = mask_N[rows, None].to(wide)
            loss_N1, probs_NV = _loss_and_probs(
                (hidden @ weight.T).to(wide), targets_N[rows], z_loss
            )
            # Not in place: torch 2.11 compiles an output that was changed in place wrongly.
            loss_sum = loss_sum + (loss_N1 * mask_N1).sum()
            if not (needs_hidden or needs_weight):
                continue
            grad_logits_NV = _minus_one_hot(probs_NV, targets_N[rows]).to(compute_dtype)
            # The mask goes to the narrow factor of each product, not to the logits.
            if grad_hidden_ND is not None:
                grad_hidden_ND[rows] = (grad_logits_NV @ weight) * mask_N1
            if grad_weight_VD is not None:
                grad_weight_VD += grad_logits_NV.T @ (hidden * mask_N1).to(compute_dtype)
        ctx.save_for_backward(grad_hidden_ND, grad_weight_VD)
        ctx.weight_dtype = weight_VD.dtype
        return loss_sum

    @staticmethod
    @torch.autograd.function.once_differentiable
    def backward(ctx: Any, grad_loss: torch.Tensor) -> tuple[torch.Tensor | None, ...]:
        grad_hidden_ND, grad_weight_VD = ctx.saved_tensors
        if grad_hidden_ND is not None:
            grad_hidden_ND = (grad_hidden_ND * grad_loss).to(grad_hidden_ND.dtype)
        if grad_weight_VD is not None:
            grad_weight_VD = (grad_weight_VD * grad_loss).to(ctx.weight_dtype)
        return grad_hidden_ND, grad_weight_VD, None, None, None, None, None


def _loss_and_probs(
    logits_NV: torch.Tensor, targets_N: torch.Tensor, z_loss: float
) -> tuple[torch.Tensor, torch.Tensor]:
    """Take loss and softmax out of one exponential per logit.

    The largest probability is at least 1/V, so its logarithm is safe where the target's own, which
    may underflow to zero, is not: loss = max - target - log(largest probability). With a z-loss c
    the probabilities come weighted by 1 + 2 c log Z, which is their share in its gradient.
    """
    largest_N1 = logits_NV.amax(-1, keepdim=True)
    target_N1 = logits_NV.gather(-1, targets_N[:, None])
    probs_NV = torch.softmax(logits_NV, dim=-1)
    log_largest_N1 = probs_NV.amax(-1, keepdim=True).log()
    loss_N1 = largest_N1 - target_N1 - log_largest_N1
    if not z_loss:
        return loss_N1, probs_NV
    log_z_N1 = largest_N1 - log_largest_N1
    return loss_N1 + z_loss * log_z_N1.square(), probs_NV * (1 + 2 * z_loss * log_z_N1)


def _minus_one_hot(probs_NV: torch.Tensor, targets_N: torch.Tensor) -> torch.Tensor:
    """Return the gradient of the loss with respect to the logits, in place."""
    minus_one_N1 = torch.full_like(targets_N[:, None], -1, dtype=probs_NV.dtype)
    return probs_NV.scatter_add_(-1, targets_N[:, None], minus_one_N1)
