"""What the caller of the watch knows of a step, on its way over ranks and from the device.

In: numbers or one-element tensors, some not known. Out: one small tensor that adds up over ranks, and
from it the means as plain numbers. Nothing here waits for the device.
"""

from collections.abc import Sequence
from dataclasses import dataclass

import torch
from torch import Tensor

from herd.stability.statistics import Array


@dataclass(frozen=True, kw_only=True, slots=True)
class StepNumbers:
    """What the caller knows of a step; None where it does not.

    `sharpness_ratio` is the preconditioned sharpness over its threshold.
    """

    loss_nats: float | None = None
    grad_norm: float | None = None
    attention_logit_max: float | None = None
    log_z: float | None = None
    sharpness_ratio: float | None = None


NUMBERS = tuple(StepNumbers.__slots__)
Given = Sequence[Tensor | float | None]  # in the order of `NUMBERS`


def as_number(value: object) -> Tensor | float | None:
    """Return a number or one-element tensor; the mean of a loss by sample; None for what is neither.

    A watch never stops a training, so what cannot be read is not known.
    """
    if isinstance(value, Tensor):
        if value.numel() == 0 or value.is_meta or value.is_complex():
            return None
        return value.detach() if value.numel() == 1 else value.detach().double().mean()
    try:
        return None if value is None else float(value)  # type: ignore[arg-type]
    except (TypeError, ValueError, OverflowError):
        return None


def pack_numbers(given: Given, device: torch.device) -> Tensor:
    """Return numbers and how many there are of each, `[2, 5]`, on the device, without waiting."""
    values, known = [], []
    for value in given:
        known.append(0.0 if value is None else 1.0)
        values.append(
            torch.as_tensor(0.0 if value is None else value).detach().double().reshape(())
        )
    if all(value.device.type == "cpu" for value in values):
        stacked = torch.stack(values).to(device, non_blocking=True)
    else:
        stacked = torch.stack([value.to(device, non_blocking=True) for value in values])
    counts = torch.tensor(known, dtype=torch.float64).to(device, non_blocking=True)
    return torch.stack([stacked, counts])


def unpack_numbers(scalars: Array) -> StepNumbers:
    """Return the mean of what the ranks gave."""
    sums, counts = scalars
    means = [float(s / n) if n else None for s, n in zip(sums, counts, strict=True)]
    return StepNumbers(**dict(zip(NUMBERS, means, strict=True)))


def read_numbers(given: Given) -> StepNumbers:
    """Return numbers that are on the host already."""
    values = [float(x.detach()) if isinstance(x, Tensor) else x for x in given]
    return StepNumbers(**dict(zip(NUMBERS, values, strict=True)))


def are_on_host(given: Given) -> bool:
    """Return whether reading them waits for no device."""
    return not any(isinstance(x, Tensor) and x.device.type != "cpu" for x in given)
