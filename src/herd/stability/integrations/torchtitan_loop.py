"""The watch in a torchtitan-style loop: a list of model parts under a container of optimizers.

In: torchtitan's `OptimizersContainer`, or anything with a list `optimizers`, and the model parts. Out:
one `AdamWatch` over all of them; its `state_dict` fits among the `states` of the checkpointer.
Never: an import of torchtitan; only the container's shape matters.
"""

from collections.abc import Iterable, Sequence

import torch
from torch import nn

from herd.foundation import UserError
from herd.stability.watch import AdamWatch
from herd.stability.watch_config import WatchConfig


def torchtitan_watch(
    optimizers: Iterable[torch.optim.Optimizer],
    model_parts: Sequence[nn.Module],
    *,
    config: WatchConfig | None = None,
) -> AdamWatch:
    """Watch every optimizer of a container; call `.step(loss, grad_norm)` after `optimizers.step()`.

    Make it after the checkpoint is loaded. Raises UserError when one of the optimizers is not of Adam's
    family (Muon, say), or when they train other parameters than the model parts'.
    """
    members = getattr(optimizers, "optimizers", optimizers)
    try:
        return AdamWatch(list(members), list(model_parts), config=config)
    except TypeError:
        raise UserError(
            f"{type(optimizers).__name__} is no container of optimizers; give torchtitan's "
            "OptimizersContainer and the list of model parts"
        ) from None
