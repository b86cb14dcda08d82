"""What an intervention in the optimizer's step is: hooks that do nothing until one overrides them.

In: the tensors of a step, in order of phases: begin, gradients, moments, epsilon, update.
Out: changed gradients or moments, a chosen epsilon, factors on update and learning rate.
Never: a default that acts; a stage acts on what it was switched on for.
"""

from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

import torch
from torch import Tensor
from torch.utils.hooks import RemovableHandle

from herd.foundation import UserError
from herd.stability.adam_tensors import WRAPPERS
from herd.stability.interventions.shard_sums import ReduceSums, stacked, sum_over_shards
from herd.stability.interventions.tensor_step import TensorStep, widened

Log = Callable[[dict[str, Any]], None]


@dataclass(slots=True)
class StepRun:
    """What all stages of one step share.

    `step` counts calls of the optimizer's step from 1. `applied` is a boolean scalar on the
    device, or None when no stage may skip. `reset_names` are the tensors whose moments were reset in
    this step. Numbers are read from the device only for `log`.
    """

    step: int
    log: Log | None = None
    loss_nats: float | Tensor | None = None
    grad_norm: float | Tensor | None = None
    reduce_sums: ReduceSums = sum_over_shards
    applied: Tensor | None = None
    reset_names: set[str] = field(default_factory=set)

    def sums(self, tensors: Sequence[TensorStep], local_sums: Sequence[Tensor]) -> Tensor:
        """Return the sums over whole tensors, shape [T]."""
        return self.reduce_sums(stacked(local_sums), [tensor.parameter for tensor in tensors])

    def norms(self, tensors: Sequence[TensorStep]) -> Tensor:
        """Return the gradients' norms over whole tensors, shape [T]."""
        local_norms = [torch.linalg.vector_norm(widened(tensor.gradient)) for tensor in tensors]
        return self.sums(tensors, [norm.square() for norm in local_norms]).sqrt()


class Stage:
    """One intervention. `only` holds the tensors it acts on; None means all of them."""

    name = "stage"
    changes_gradients_only = False

    def __init__(self, *, enabled: bool = True) -> None:
        self.enabled = enabled
        self.only: set[str] | None = None

    def switch_on(self, names: Iterable[str] | None = None) -> None:
        """Act from the next step on: on these tensors besides those before, or on all of them."""
        if names is None:
            self.only = None
        elif not self.enabled:
            self.only = set(names)
        elif self.only is not None:
            self.only |= set(names)
        self.enabled = True

    def switch_off(self, names: Iterable[str] | None = None) -> None:
        """Stop acting on these tensors, or at all. A stage that acts on all keeps to that."""
        if names is None:
            self.enabled = False
        elif self.only is not None:
            self.only -= set(names)
            self.enabled = self.enabled and bool(self.only)

    def applies_to(self, name: str) -> bool:
        """Return whether this stage is on for the tensor of this name."""
        return self.enabled and (self.only is None or name in self.only)

    def begin(self, tensors: Sequence[TensorStep], run: StepRun) -> None:
        """Look at the step before anything is changed; here a step may be skipped."""

    def change_gradients(self, tensors: Sequence[TensorStep], run: StepRun) -> None:
        """Change gradients in place."""

    def second_moment(self, tensor: TensorStep, before: Tensor, after: Tensor) -> Tensor:
        """Return the second moment to keep, given that of the step before and AdamW's new one."""
        return after

    def choose_epsilon(self, tensors: Sequence[TensorStep], run: StepRun) -> None:
        """Set `epsilon` of tensors."""

    def scale(self, tensors: Sequence[TensorStep], run: StepRun) -> None:
        """Multiply `update_factor` or `rate_factor` of tensors."""

    def finish(self, tensors: Sequence[TensorStep], run: StepRun) -> None:
        """Look at the step once it is done."""

    def state_dict(self) -> dict[str, Any]:
        """Return all that the stage needs to go on as if it had not been interrupted."""
        return {
            "enabled": self.enabled,
            "only": None if self.only is None else sorted(self.only),
            **self.own_state(),
        }

    def load_state_dict(self, state: dict[str, Any]) -> None:
        """Take over what `state_dict` returned."""
        self.enabled = state["enabled"]
        self.only = None if state["only"] is None else set(state["only"])
        self.load_own_state(state)

    def own_state(self) -> dict[str, Any]:
        """Return the state of a particular stage."""
        return {}

    def load_own_state(self, state: dict[str, Any]) -> None:
        """Take over what `own_state` returned."""


class GradientStage(Stage):
    """A stage that only changes gradients, so that any torch optimizer can have it."""

    changes_gradients_only = True

    def __init__(self, *, enabled: bool = True) -> None:
        super().__init__(enabled=enabled)
        self.n_attached_steps = 0

    def attach(
        self,
        optimizer: torch.optim.Optimizer,
        *,
        names: Iterable[tuple[str, Tensor]] = (),
        log: Log | None = None,
        reduce_sums: ReduceSums = sum_over_shards,
    ) -> RemovableHandle:
        """Act before each step of any torch optimizer; remove the handle to stop.

        `names` are the model's named parameters, for the log.
        """
        named = {id(parameter): name for name, parameter in names}

        def before_step(*_: Any) -> None:
            self.n_attached_steps += 1
            if not self.enabled:
                return
            run = StepRun(step=self.n_attached_steps, log=log, reduce_sums=reduce_sums)
            with torch.no_grad():
                tensors = tensor_steps(optimizer, named)
                self.change_gradients(tensors, run)

        return optimizer.register_step_pre_hook(before_step)

    def state_dict(self) -> dict[str, Any]:
        """Return the state, with the count of attached steps."""
        return {**super().state_dict(), "n_attached_steps": self.n_attached_steps}

    def load_state_dict(self, state: dict[str, Any]) -> None:
        """Take over what `state_dict` returned."""
        super().load_state_dict(state)
        self.n_attached_steps = state["n_attached_steps"]


def tensor_steps(
    optimizer: torch.optim.Optimizer, names: Mapping[int, str] | None = None
) -> list[TensorStep]:
    """Return the tensors that have a gradient, in the optimizer's order.

    Raises UserError for a gradient that is sparse or complex.
    """
    found = []
    for name, parameter, group in named_tensors(optimizer, names or {}):
        if parameter.grad is None:
            continue
        if parameter.grad.is_sparse or parameter.is_complex():
            raise UserError(f"{name}: interventions need dense gradients of real numbers")
        state = optimizer.state.get(parameter, {})
        found.append(TensorStep(name, parameter, group, state, group.get("eps", 0.0)))
    return found


def named_tensors(
    optimizer: torch.optim.Optimizer, names: Mapping[int, str]
) -> list[tuple[str, Tensor, dict[str, Any]]]:
    """Return name, parameter and group of all that an optimizer steps.

    `names` go by the parameter's id; else the name that the optimizer got counts, else the place.
    What compiling and sharding wrap around a name is left out.
    """
    found = []
    for g, group in enumerate(optimizer.param_groups):
        given = group.get("param_names")
        for i, parameter in enumerate(group["params"]):
            name = names.get(id(parameter)) or (given[i] if given else f"group{g}.{i}")
            found.append((WRAPPERS.sub("", name), parameter, group))
    return found
