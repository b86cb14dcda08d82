"""The norm of the gradient that an optimizer is about to use.

In: parameters with gradients. Out: one number on the device, over all shards of FSDP2 and tensor
parallelism. Never: a wait for the device, or a clipped gradient.
"""

from collections.abc import Iterable

import torch
from torch import Tensor
from torch.distributed.tensor import DTensor


@torch.no_grad()
def gradient_norm(parameters: Iterable[Tensor]) -> Tensor | None:
    """Return the Euclidean norm of all gradients, shape []; None where there is no gradient.

    Of sharded parameters every rank must call it, as one number is added up over the ranks.
    """
    gradients = [each.grad for each in parameters if each.grad is not None]
    if not gradients:
        return None
    norm = torch.nn.utils.get_total_norm(gradients)
    return norm.full_tensor() if isinstance(norm, DTensor) else norm
