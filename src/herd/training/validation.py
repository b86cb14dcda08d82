"""The loss on held-out text, in nats per token and in bits per byte.

In: a source of batches, a loss. Out: two numbers. Bits per byte can be compared between
tokenizers; nats per token cannot.
"""

import math
from dataclasses import dataclass

import torch

from herd.foundation import UserError
from herd.training.hooks import Hook, Verdict
from herd.training.metrics import StepMetrics
from herd.training.source import BatchSource
from herd.training.state import TrainState
from herd.training.step import LossFunction, Precision, autocast


@dataclass(frozen=True, kw_only=True, slots=True)
class HeldOut:
    """What to validate on: the first `n_sequences` of a source, `batch_sequences` at a time.

    `bytes_per_token` is the text's size in bytes over its number of tokens.
    """

    source: BatchSource
    n_sequences: int
    batch_sequences: int
    bytes_per_token: float


def validate(
    held_out: HeldOut, loss: LossFunction, *, precision: Precision, device: torch.device
) -> float:
    """Return the mean loss in nats per token. Always the same tokens, whenever it is called."""
    loss_sum_nats = torch.zeros((), dtype=torch.float64, device=device)
    n_tokens = torch.zeros((), dtype=torch.int64, device=device)
    with torch.no_grad(), autocast(precision, device):
        for first in range(0, held_out.n_sequences, held_out.batch_sequences):
            count = min(held_out.batch_sequences, held_out.n_sequences - first)
            result = loss(held_out.source.batch(first, count).to(device))
            loss_sum_nats += result.loss_sum_nats
            n_tokens += result.n_tokens.to(torch.int64)
    if int(n_tokens) == 0:
        raise UserError("the held-out text holds no token to validate on; hold out more text")
    return float(loss_sum_nats) / int(n_tokens)


def bits_per_byte(loss_nats: float, bytes_per_token: float) -> float:
    """Return nats per token as bits per byte of text."""
    return loss_nats / math.log(2) / bytes_per_token


def validation_hook(
    held_out: HeldOut, loss: LossFunction, *, precision: Precision, device: torch.device
) -> Hook:
    """Return a hook that logs the held-out loss."""

    def run(state: TrainState, metrics: StepMetrics) -> Verdict:
        loss_nats = validate(held_out, loss, precision=precision, device=device)
        bits = bits_per_byte(loss_nats, held_out.bytes_per_token)
        return Verdict(record={"val_loss_nats": loss_nats, "val_bits_per_byte": bits})

    return run
