"""Run the closure of `optimizer.step(closure)` before anybody looks at the gradients.

In: an optimizer whose caller hands `step` a closure that makes the gradients, as Lightning does.
Out: the same step with the closure run ahead of the hooks, so that these see this step's gradients.
Never: a second run of the closure, or a changed number: Adam runs it first thing of all anyway.
"""

from typing import Any

import torch
from torch.utils.hooks import RemovableHandle


def run_closures_early(optimizer: torch.optim.Optimizer) -> RemovableHandle:
    """Make later-registered step hooks see the gradients that the closure makes; undo by `.remove()`.

    Only for optimizers that call their closure once and first, as those of Adam's family do.
    """
    return optimizer.register_step_pre_hook(_run_first)


def _run_first(
    optimizer: torch.optim.Optimizer, args: Any, kwargs: dict[str, Any]
) -> tuple[Any, dict[str, Any]] | None:
    own = [each for each in args if each is not optimizer]
    closure = kwargs.get("closure", own[0] if own else None)
    if closure is None:
        return None
    with torch.enable_grad():
        loss = closure()
    rest = tuple(each for each in args if each is optimizer)
    return rest, {**kwargs, "closure": lambda: loss}
