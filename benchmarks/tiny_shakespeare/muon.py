"""Muon (Jordan et al. 2024): momentum whose singular values are all made about 1, for matrices.

In: parameters with gradients. Out: changed parameters. Embedding, output and norms, which Muon is
not for, get AdamW at fixed fractions of the same learning rate, so one schedule drives all.
Why here: in 850 steps of this task it ends 0.1 nats below AdamW, and its price, some products of
small matrices, is 12 % of a step (experiments/2026-11-23-time-to-loss).
"""

from collections import defaultdict
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import torch
from torch import nn

# Polar Express (Amsel et al. 2025, arXiv:2505.16932), first three steps of the quintic iteration.
POLAR_EXPRESS = (
    (8.28721201814563, -23.595886519098837, 17.300387312530933),
    (4.107059111542203, -2.9478499167379106, 0.5448431082926601),
    (3.9486908534822946, -2.908902115962949, 0.5518191394370137),
)


@dataclass(frozen=True, kw_only=True, slots=True)
class AdamWGroup:
    """Parameters for AdamW, and its learning rate as a fraction of Muon's."""

    parameters: Sequence[nn.Parameter]
    lr_frac: float


class Muon(torch.optim.Optimizer):
    """Muon for `matrices`, AdamW for the other groups."""

    def __init__(
        self,
        matrices: Sequence[nn.Parameter],
        others: Sequence[AdamWGroup],
        *,
        momentum: float,
        adamw_betas: tuple[float, float],
    ) -> None:
        groups = [{"params": list(group.parameters)} for group in others]
        super().__init__([{"params": list(matrices)}, *groups], {"lr": 0.0})
        self.momentum = momentum
        self.adamw = torch.optim.AdamW(groups, betas=adamw_betas, weight_decay=0.0, fused=True)
        self.lr_fracs = [group.lr_frac for group in others]

    @torch.no_grad()
    def step(self, closure: Any = None) -> None:
        """Update every parameter once, from its gradient."""
        matrices = self.param_groups[0]
        for group, fraction in zip(self.adamw.param_groups, self.lr_fracs, strict=True):
            group["lr"] = matrices["lr"] * fraction
        self.adamw.step()
        for same_shape in _by_shape(matrices["params"]):
            self._step_together(same_shape, matrices["lr"])

    def _step_together(self, parameters: list[nn.Parameter], learning_rate: float) -> None:
        """Matrices of one shape are one batched product; each is as wide as tall, or wider."""
        grad_EMN = torch.stack([_wide(parameter.grad) for parameter in parameters])
        state = self.state[parameters[0]]
        momentum_EMN = state.setdefault("momentum", torch.zeros_like(grad_EMN))
        momentum_EMN.lerp_(grad_EMN, 1 - self.momentum)
        update_EMN = orthogonalize(grad_EMN.lerp(momentum_EMN, self.momentum))  # Nesterov
        for parameter, update_MN in zip(parameters, update_EMN.float(), strict=True):
            rows, columns = parameter.shape
            scale = max(1.0, rows / columns) ** 0.5
            update = update_MN.T if rows > columns else update_MN
            parameter.add_(update, alpha=-learning_rate * scale)


def orthogonalize(x_EMN: torch.Tensor) -> torch.Tensor:
    """Return about U V^T for each matrix x = U S V^T with M <= N, in bfloat16."""
    norm_E11 = torch.linalg.matrix_norm(x_EMN, keepdim=True)
    x_EMN = (x_EMN / (norm_E11 * 1.01 + 1e-12)).bfloat16()
    for a, b, c in POLAR_EXPRESS:
        gram_EMM = x_EMN @ x_EMN.mT
        polynomial_EMM = torch.baddbmm(gram_EMM, gram_EMM, gram_EMM, beta=b, alpha=c)
        x_EMN = torch.baddbmm(x_EMN, polynomial_EMM, x_EMN, beta=a)
    return x_EMN


def _by_shape(parameters: Sequence[nn.Parameter]) -> list[list[nn.Parameter]]:
    shapes: dict[tuple[int, ...], list[nn.Parameter]] = defaultdict(list)
    for parameter in parameters:
        shapes[tuple(sorted(parameter.shape))].append(parameter)
    return list(shapes.values())


def _wide(x: torch.Tensor | None) -> torch.Tensor:
    assert x is not None, "a matrix without a gradient"
    return x.T if x.shape[0] > x.shape[1] else x
