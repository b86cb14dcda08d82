"""The tensors that an Adam optimizer steps: their names, layers, moments and constants.

In: one or more of torch's Adam or AdamW (any implementation, any parameter groups) and the model
that names the parameters. Out: one `AdamTensor` for each parameter, in the model's order.
Never: an optimizer whose moments mean something else.
"""

import re
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import Any

import torch
from torch import Tensor, nn
from torch.distributed.tensor import DTensor

from herd.foundation import UserError

NamedParameters = Iterable[tuple[str, nn.Parameter]]
NUMBERED = re.compile(r"^(.*?(?:^|\.)\d+)\.")
WRAPPERS = re.compile(r"(_orig_mod|_checkpoint_wrapped_module|_fsdp_wrapped_module|module)\.")


@dataclass(frozen=True, eq=False, slots=True)
class AdamTensor:
    """One parameter under one optimizer, in the group of that index."""

    name: str
    layer: str
    parameter: nn.Parameter
    optimizer: torch.optim.Optimizer
    group_index: int

    @property
    def group(self) -> dict[str, Any]:
        """Its constants as they are now; loading a state gives the optimizer new groups."""
        group: dict[str, Any] = self.optimizer.param_groups[self.group_index]
        return group

    @property
    def gradient(self) -> Tensor | None:
        """The local part of the gradient; None if there is none in this step."""
        return None if self.parameter.grad is None else local(self.parameter.grad)

    def moment(self, key: str) -> Tensor | None:
        """Return the local part of `exp_avg`, `exp_avg_sq` or `max_exp_avg_sq`; None before step 1.

        Raises UserError when it has another shape than its parameter.
        """
        moment = self.optimizer.state.get(self.parameter, {}).get(key)
        if moment is None:
            return None
        if moment.shape != self.parameter.shape:
            raise UserError(
                f"{key} of {self.name} has shape {list(moment.shape)}, the parameter "
                f"{list(self.parameter.shape)}; the watch needs a moment for every coordinate"
            )
        return local(moment)

    @property
    def step_count(self) -> Tensor | float:
        """How often this parameter was stepped, as the optimizer keeps it."""
        count: Tensor | float = self.optimizer.state.get(self.parameter, {}).get("step", 0.0)
        return count


def local(tensor: Tensor) -> Tensor:
    """Return this rank's part of a tensor, detached."""
    if isinstance(tensor, DTensor):
        tensor = tensor.to_local()
    return tensor.detach()


def adam_tensors(
    optimizers: Sequence[torch.optim.Optimizer],
    model: nn.Module | Sequence[nn.Module] | NamedParameters,
) -> list[AdamTensor]:
    """Return the parameters that the optimizers step, in the model's order.

    Raises UserError for an optimizer that is not of Adam's family, and for parameters that the
    model does not name.
    """
    for optimizer in optimizers:
        check_family(optimizer)
    owners = {
        parameter: (optimizer, index)
        for optimizer in optimizers
        for index, group in enumerate(optimizer.param_groups)
        for parameter in group["params"]
    }
    n_stepped = sum(len(group["params"]) for each in optimizers for group in each.param_groups)
    if n_stepped > len(owners):
        raise UserError("two of the optimizers step the same parameter; give each of them once")
    found = []
    for name, parameter in named_parameters(model):
        if parameter in owners:
            optimizer, index = owners.pop(parameter)
            found.append(AdamTensor(name, layer_of(name), parameter, optimizer, index))
    if owners:
        raise UserError(
            f"{len(owners)} of the optimizer's parameters are not the model's; give the watch the "
            "model that this optimizer trains"
        )
    if not found:
        raise UserError("the optimizer steps none of the model's parameters; nothing to watch")
    return found


def check_family(optimizer: object) -> None:
    """Raise UserError unless this is torch's Adam or AdamW, or derived from one."""
    if not isinstance(optimizer, torch.optim.Adam | torch.optim.AdamW):
        raise UserError(
            f"the watch reads the moments of torch's Adam and AdamW, not of "
            f"{type(optimizer).__name__}; give it one of those, unwrapped"
        )


def named_parameters(
    model: nn.Module | Sequence[nn.Module] | NamedParameters,
) -> list[tuple[str, nn.Parameter]]:
    """Return names and parameters of a model, of several model parts, or as given.

    Names lose what compiling and sharding wrap around them.
    """
    if not isinstance(model, Iterable):
        model = [model]
    parts: Iterable[Any] = [model] if isinstance(model, nn.Module) else model
    named: list[tuple[str, nn.Parameter]] = []
    for part in parts:
        is_pair = isinstance(part, tuple) and len(part) == 2 and isinstance(part[1], nn.Parameter)
        if not isinstance(part, nn.Module) and not is_pair:
            raise UserError(
                f"give the watch a module, a list of modules or (name, parameter) pairs, not "
                f"{type(part).__name__}; model.named_parameters() gives pairs"
            )
        named.extend(part.named_parameters() if isinstance(part, nn.Module) else [part])
    clean = [(WRAPPERS.sub("", name), parameter) for name, parameter in named]
    names = [name for name, _ in clean]
    if len(set(names)) < len(names):
        twice = next(name for name in names if names.count(name) > 1)
        raise UserError(f"two parameters are called {twice}; give (name, parameter) pairs instead")
    return clean


def layer_of(name: str) -> str:
    """Return the layer of a parameter: its path up to the first number, else without its last part.

    `layers.3.attention.q.weight` is in `layers.3`, `embedding.weight` in `embedding`.
    """
    if match := NUMBERED.match(name):
        return match.group(1)
    return name.rpartition(".")[0] or name
