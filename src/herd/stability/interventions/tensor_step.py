"""One tensor in one optimizer step: what a stage reads, and what it may change.

In: a parameter with its group and moments. Out: AdamW's update of it in float32, with a factor on
the update and one on the learning rate.
Never: why a factor is what it is.
Source: Kingma and Ba 2015, with decoupled weight decay (Loshchilov and Hutter 2019); where no
stage acts the operations are torch's single-tensor ones, in their order.
"""

import math
from dataclasses import dataclass
from typing import Any

import torch
from torch import Tensor

from herd.stability.adam_tensors import local


@dataclass(eq=False, slots=True)
class TensorStep:
    """One tensor on its way through a step. Tensors are this rank's part of a sharded one.

    `epsilon` is the group's until a stage chooses another. `update_factor` multiplies the update
    alone, `rate_factor` the learning rate and with it the weight decay; both are numbers or
    scalars on the device.
    """

    name: str
    parameter: Tensor
    group: dict[str, Any]
    state: dict[str, Any]
    epsilon: float | Tensor = 0.0
    update_factor: float | Tensor = 1.0
    rate_factor: float | Tensor = 1.0

    @property
    def betas(self) -> tuple[float, float]:
        """The group's beta1 and beta2."""
        beta1, beta2 = self.group["betas"]
        return float(beta1), float(beta2)

    @property
    def n_coordinates(self) -> int:
        """The size of the whole tensor, over all ranks."""
        return self.parameter.numel()

    @property
    def gradient(self) -> Tensor:
        """The gradient itself, to be changed in place."""
        assert self.parameter.grad is not None
        return local(self.parameter.grad)

    @property
    def descent_gradient(self) -> Tensor:
        """The gradient in float32 or wider, of what is minimised."""
        gradient = widened(self.gradient)
        return -gradient if self.group.get("maximize") else gradient

    def moment(self, key: str) -> Tensor | None:
        """Return `exp_avg` or `exp_avg_sq` as it is stored; None before the first step."""
        moment = self.state.get(key)
        return None if moment is None else local(moment)

    def stored(self, key: str) -> Tensor:
        """Return a moment that exists, as it is stored."""
        return local(self.state[key])

    def bias_correction(self, beta: float) -> float | Tensor:
        """Return 1 - beta^t: a number where the count lies on the host, else a device scalar.

        t is at least 1: a first step that is skipped is computed all the same.
        """
        step: Tensor = self.state["step"]
        if step.device.type == "cpu":
            return float(1 - beta ** max(1, step.item()))
        return 1 - torch.pow(beta, step.double().clamp(min=1))

    def corrected_second_moment(self) -> Tensor:
        """Return v / (1 - beta2^t)."""
        return widened(self.stored("exp_avg_sq")) / self.bias_correction(self.betas[1])

    def denominator(self) -> Tensor:
        """Return sqrt(v / (1 - beta2^t)) + epsilon."""
        correction = self.bias_correction(self.betas[1])
        root = correction.sqrt() if isinstance(correction, Tensor) else math.sqrt(correction)
        return (widened(self.stored("exp_avg_sq")).sqrt() / root).add_(self.epsilon)

    def update(self) -> Tensor:
        """Return the update u before any factor, so that AdamW subtracts learning rate times u."""
        mean = widened(self.stored("exp_avg")) / self.bias_correction(self.betas[0])
        return mean / self.denominator()

    def apply(self, applied: Tensor | None) -> None:
        """Decay and move the parameter; where `applied` is false it stays what it was."""
        parameter = local(self.parameter)
        new = self._moved(widened(parameter).clone())
        if applied is not None:
            new = torch.where(applied, new, widened(parameter))
        parameter.copy_(new)

    def _moved(self, parameter: Tensor) -> Tensor:
        rate, decay = self.group["lr"], self.group["weight_decay"]
        if decay != 0:
            factor = self.rate_factor
            exact = factor.double() if isinstance(factor, Tensor) else factor
            parameter.mul_(1 - rate * decay * exact)
        step_size = rate / self.bias_correction(self.betas[0])
        numerator = scaled(widened(self.stored("exp_avg")), self.update_factor)
        numerator = scaled(numerator, self.rate_factor)
        if isinstance(step_size, Tensor):
            return parameter.addcdiv_(numerator * -step_size, self.denominator())
        return parameter.addcdiv_(numerator, self.denominator(), value=-step_size)


def widened(tensor: Tensor) -> Tensor:
    """Return a tensor in float32, or as it is when wider: the type all arithmetic runs in."""
    return tensor.to(torch.promote_types(tensor.dtype, torch.float32))


def scaled(tensor: Tensor, factor: float | Tensor) -> Tensor:
    """Return tensor times factor; the tensor itself where that is the number 1."""
    if isinstance(factor, Tensor):
        return tensor * factor.to(device=tensor.device, dtype=tensor.dtype)
    return tensor if factor == 1.0 else tensor * factor
