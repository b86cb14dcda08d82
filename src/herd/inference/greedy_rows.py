"""The likeliest token of each row, found where the logits lie, so that a GPU sends two numbers a row.

In: logits [R, V] on any device. Out: ids and log-probabilities, on the CPU.
Never: settings; for rows to which nothing is done before the likeliest is taken.
"""

from __future__ import annotations

from collections.abc import Sequence

import torch


def take_likeliest(
    logits_RV: torch.Tensor, vocab_sizes: Sequence[int]
) -> tuple[list[int], list[float]]:
    """Return each row's likeliest id, the lowest of equal ones, and its natural log-probability.

    Ids from the row's vocab_size on do not count. A row with NaN or infinity gives NaN.
    """
    place_V = torch.arange(logits_RV.shape[-1], device=logits_RV.device)
    size_R1 = torch.tensor(list(vocab_sizes), device=logits_RV.device)[:, None]
    real_RV = logits_RV.float().masked_fill(place_V >= size_R1, -torch.inf)
    peak_R1 = real_RV.amax(-1, keepdim=True)
    # Not argmax: which of equal ones it takes on a GPU hangs on the shape of the batch.
    id_R = torch.where(real_RV == peak_R1, place_V, logits_RV.shape[-1]).amin(-1)
    logprob_R = -(real_RV - peak_R1).exp().sum(-1).log()
    # float64 holds ids and log-probabilities alike: one transfer, for each waits for the device.
    ids, logprobs = torch.stack([id_R.double(), logprob_R.double()]).tolist()
    return [int(i) for i in ids], logprobs
