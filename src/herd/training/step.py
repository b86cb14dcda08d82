"""One optimizer step over any number of micro-batches.

In: micro-batches and a function from a batch to a sum of losses. Out: changed parameters, the mean
loss and the gradient's norm. Each token weighs the same, so many micro-batches give the gradient
of the one large batch; a mean of means would not when the batches hold unequal counts.
Never: where batches come from or what the loss is.
"""

import math
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from enum import Enum

import torch
from torch import Tensor, nn

from herd.data import Batch
from herd.foundation import UserError, multiplies_bfloat16
from herd.model import LossSum
from herd.training.optimizer import set_learning_rate

LossFunction = Callable[[Batch], LossSum]


class Precision(Enum):
    """The type that matrix products run in; parameters and optimizer state stay float32.

    AUTO is bfloat16 where the device multiplies it fast, else float32.
    """

    AUTO = "auto"
    FLOAT32 = "float32"
    BFLOAT16 = "bfloat16"


@dataclass(frozen=True, kw_only=True, slots=True)
class StepResult:
    """What one step measured. `applied` is False when the loss or gradient was not finite.

    It is also False when the step was skipped; `skipped` then says why.
    """

    loss_nats: float
    n_tokens: int
    grad_norm: float
    applied: bool
    skipped: str = ""


def train_step(
    optimizer: torch.optim.Optimizer,
    micro_batches: Iterable[Batch],
    loss: LossFunction,
    *,
    learning_rate: float,
    clip_norm: float,
    precision: Precision,
    device: torch.device,
    skip: Callable[[float, float], str] | None = None,
) -> StepResult:
    """Accumulate the gradients of all micro-batches, clip them and step once.

    Parameters and optimizer stay untouched when the loss or the gradient's norm is not finite, or
    when `skip`, given both, returns a reason.
    Raises UserError when no token of the batch counts towards the loss.
    """
    optimizer.zero_grad(set_to_none=True)
    loss_sum_nats, n_tokens = accumulate_gradients(
        micro_batches, loss, precision=precision, device=device
    )
    if n_tokens == 0:
        raise UserError("no token of this batch counts towards the loss; check the loss mask")
    gradients = [
        parameter.grad
        for group in optimizer.param_groups
        for parameter in group["params"]
        if parameter.grad is not None
    ]
    grad_norm = average_and_clip(gradients, n_tokens=n_tokens, clip_norm=clip_norm)
    loss_nats = loss_sum_nats / n_tokens
    skipped = skip(loss_nats, grad_norm) if skip else ""
    applied = math.isfinite(loss_nats) and math.isfinite(grad_norm) and not skipped
    if applied:
        set_learning_rate(optimizer, learning_rate)
        optimizer.step()
    return StepResult(
        loss_nats=loss_nats,
        n_tokens=n_tokens,
        grad_norm=grad_norm,
        applied=applied,
        skipped=skipped,
    )


def accumulate_gradients(
    micro_batches: Iterable[Batch],
    loss: LossFunction,
    *,
    precision: Precision,
    device: torch.device,
) -> tuple[float, int]:
    """Add up gradients of the loss sum; return that sum in nats and its number of tokens."""
    loss_sum_nats = torch.zeros((), dtype=torch.float64, device=device)
    n_tokens = torch.zeros((), dtype=torch.int64, device=device)
    for batch in micro_batches:
        with autocast(precision, device):
            result = loss(batch.to(device))
        result.loss_sum_nats.backward()  # type: ignore[no-untyped-call]
        loss_sum_nats += result.loss_sum_nats.detach()
        n_tokens += result.n_tokens.detach().to(torch.int64)
    return float(loss_sum_nats), int(n_tokens)


def average_and_clip(gradients: list[Tensor], *, n_tokens: int, clip_norm: float) -> float:
    """Divide summed gradients by the token count, clip their joint norm; return it unclipped."""
    torch._foreach_mul_(gradients, 1.0 / n_tokens)
    norm = nn.utils.get_total_norm(gradients)
    scale = torch.clamp(clip_norm / (norm + 1e-6), max=1.0)
    torch._foreach_mul_(gradients, scale)
    return float(norm)


def autocast(precision: Precision, device: torch.device) -> torch.autocast:
    """Return the context in which a loss is computed in this precision."""
    return torch.autocast(device.type, dtype=torch.bfloat16, enabled=is_bfloat16(precision, device))


def is_bfloat16(precision: Precision, device: torch.device) -> bool:
    """Return whether matrix products on this device run in bfloat16."""
    if precision is Precision.AUTO:
        return multiplies_bfloat16(device.type)
    return precision is Precision.BFLOAT16
