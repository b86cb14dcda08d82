"""AdamW as Llama uses it, and the learning rate put into it step by step.

In: a model. Out: torch's AdamW with two groups of parameters, with and without weight decay; where
interventions in its step were asked for, `StabilizedAdamW`, whose stages they are.
Source: Llama 2 paper, section 2.2: betas 0.9 and 0.95, epsilon 1e-5, weight decay 0.1. Neither
paper says which parameters decay. Here: matrices do; norms and the embedding do not, since
a norm's weight belongs near 1 and an embedding row would shrink in every step its token is absent.
"""

from dataclasses import dataclass, replace
from typing import Any

import torch
from torch import nn

from herd.foundation import UserError
from herd.stability import InterventionConfig, StabilizedAdamW


@dataclass(frozen=True, kw_only=True, slots=True)
class OptimizerConfig:
    """AdamW's constants; the defaults are Llama 2's."""

    beta1: float = 0.9
    beta2: float = 0.95
    epsilon: float = 1e-5
    weight_decay: float = 0.1

    def __post_init__(self) -> None:
        """Check every field."""
        for name in ("beta1", "beta2"):
            if not 0 <= getattr(self, name) < 1:
                raise UserError(f"optimizer.{name} must lie in [0, 1), not {getattr(self, name)}")
        if not self.epsilon > 0:  # nan as well
            raise UserError(f"optimizer.epsilon must be above 0, not {self.epsilon}")
        if not self.weight_decay >= 0:
            raise UserError(f"optimizer.weight_decay must not be negative: {self.weight_decay}")


def build_optimizer(
    model: nn.Module, config: OptimizerConfig, interventions: InterventionConfig | None = None
) -> torch.optim.AdamW:
    """Return AdamW over the model's parameters, its learning rate still 0.

    With no intervention of the optimizer it is torch's own. Skipping steps is left to the loop,
    which knows loss and gradient norm before the optimizer is called.
    """
    decayed, kept = split_by_decay(model)
    groups = [
        {"params": decayed, "weight_decay": config.weight_decay},
        {"params": kept, "weight_decay": 0.0},
    ]
    constants: dict[str, Any] = {
        "params": [group for group in groups if group["params"]],
        "lr": 0.0,
        "betas": (config.beta1, config.beta2),
        "eps": config.epsilon,
        "fused": True,
    }
    asked = replace(interventions, skip_step=False) if interventions else None
    stages = asked.optimizer_stages() if asked else []
    if not stages:
        return torch.optim.AdamW(**constants)
    named_parameters = list(model.named_parameters())
    return StabilizedAdamW(**constants, interventions=stages, named_parameters=named_parameters)


def split_by_decay(model: nn.Module) -> tuple[list[nn.Parameter], list[nn.Parameter]]:
    """Return the trainable parameters that decay, and those that do not, in the model's order."""
    embeddings = {
        parameter
        for module in model.modules()
        if isinstance(module, nn.Embedding)
        for parameter in module.parameters()
    }
    decayed: list[nn.Parameter] = []
    kept: list[nn.Parameter] = []
    for parameter in model.parameters():
        if parameter.requires_grad:
            is_matrix = parameter.ndim >= 2 and parameter not in embeddings
            (decayed if is_matrix else kept).append(parameter)
    return decayed, kept


def set_learning_rate(optimizer: torch.optim.Optimizer, learning_rate: float) -> None:
    """Put one learning rate into every group of parameters."""
    for group in optimizer.param_groups:
        group["lr"] = learning_rate
