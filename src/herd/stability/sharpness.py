"""The preconditioned sharpness: how near Adam is to the edge of stability.

In: a loss of a fixed batch, the parameters, and their Adam optimizer with its state. Out: the largest
eigenvalue of D^(1/2) H D^(1/2), D = diag(1/(sqrt(v_hat) + eps)), against 2/eta (1 + beta1)/(1 - beta1),
and the curvature along the gradient. By Lanczos' recurrence on Hessian-vector products.
Never: a changed gradient or random state; parameters are as before, bit for bit, though `differences`
moves them meanwhile. It costs `n_iterations` + 2 second backward passes (two gradients each with
`differences`), so it is for now and then, not for every step.
Source: Cohen et al. 2022 (arXiv 2207.14484): with D frozen, Adam oscillates where the eigenvalue is above
38/eta (beta1 0.9). Bai et al. 2025 (arXiv 2506.04805): curvature along the gradient above 2/eta when the
second moment lags; that their curvature is the preconditioned one is our reading of the abstract.
"""

from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from typing import Any

import torch
from torch import Tensor, nn
from torch.distributed.tensor import DTensor
from torch.nn.attention import SDPBackend, sdpa_kernel

from herd.foundation import UserError
from herd.stability.adam_tensors import check_family
from herd.stability.theory import sharpness_threshold

NO_SECOND = "an operation of the loss has no second derivative; pass differences=True"
EXHAUSTED = 1e-7  # of the largest value so far: the recurrence has seen the whole space


@dataclass(frozen=True, kw_only=True, slots=True)
class Sharpness:
    """What was measured; all in units of 1/learning rate but `ratio` and `gradient_curvature`.

    `sharpness` is the largest eigenvalue, a lower bound of it that is at most `residual` off some
    eigenvalue; `ratio` is `sharpness / threshold`: Adam oscillates above 1. `gradient_curvature` is
    g'Hg/|g|^2 (units of loss per squared weight), `preconditioned_gradient_curvature` the same with
    D^(1/2) H D^(1/2), to be compared with 2/eta.
    """

    sharpness: float
    threshold: float
    ratio: float
    residual: float
    n_iterations: int
    gradient_curvature: float
    preconditioned_gradient_curvature: float


def preconditioned_sharpness(
    loss_fn: Callable[[], Tensor],
    parameters: Iterable[nn.Parameter],
    optimizer: torch.optim.Optimizer,
    n_iterations: int = 20,
    *,
    differences: bool = False,
    seed: int = 0,
) -> Sharpness:
    """Measure the sharpness of `loss_fn()`, a scalar, under the optimizer's present state.

    `loss_fn` is called once; what it draws at random is put back. With `differences` it is called twice
    for each product and needs no second derivative, as kernels written for one backward pass (Herd's
    own, say) have none. Groups of other learning rates or betas count by their share, relative to the
    group nearest the edge. Raises UserError for an optimizer that is not of Adam's family or has not
    stepped these parameters, for sharded parameters, and where a second derivative is missing.
    """
    check_family(optimizer)
    some = [each for each in parameters if each.requires_grad]
    if not some or n_iterations < 1:
        raise UserError("the sharpness needs at least one trainable parameter and one iteration")
    rows, threshold = _preconditioner(some, optimizer)
    kind = DifferenceProduct if differences else HessianProduct
    product = kind(loss_fn, some, [decay for _, decay in rows])
    roots = [d.sqrt() for d, _ in rows]
    value, residual, n = largest_eigenvalue(
        lambda z: _times(roots, product(_times(roots, z))), _start(some, seed), n_iterations
    )
    g = product.gradient
    length = _dot(g, g)
    along = _dot(g, product(g)) / length
    along_preconditioned = _dot(g, _times(roots, product(_times(roots, g)))) / length
    return Sharpness(
        sharpness=value,
        threshold=threshold,
        ratio=value / threshold,
        residual=residual,
        n_iterations=n,
        gradient_curvature=float(along),
        preconditioned_gradient_curvature=float(along_preconditioned),
    )


class HessianProduct:
    """Multiplies the Hessian of a loss by a vector: the gradient of the gradient's dot product.

    `decays` are those weight decays that Adam adds to the gradient; they shift the Hessian.
    """

    def __init__(
        self, loss_fn: Callable[[], Tensor], parameters: Sequence[Tensor], decays: Sequence[float]
    ) -> None:
        """Run the loss forward and backward once, and keep the graph."""
        self._parameters, self._decays = list(parameters), list(decays)
        self._graph = _gradient(loss_fn, self._parameters, create_graph=True)
        if any(name.endswith(("::Error", "NotImplemented")) for name in _operations(self._graph)):
            # Left alone, such an operation would count as a second derivative of 0.
            raise UserError(NO_SECOND)
        self.gradient = [each.detach() for each in self._graph]

    def __call__(self, vector: Sequence[Tensor]) -> list[Tensor]:
        """Return H v, shaped as the parameters."""
        used = [(g, v) for g, v in zip(self._graph, vector, strict=True) if g.requires_grad]
        if not used:  # linear in everything
            products: Sequence[Tensor] = [torch.zeros_like(each) for each in vector]
        else:
            products = torch.autograd.grad(
                [g for g, _ in used],
                self._parameters,
                grad_outputs=[v for _, v in used],
                retain_graph=True,
                materialize_grads=True,
            )
        return [
            (h + decay * v).detach()
            for h, v, decay in zip(products, vector, self._decays, strict=True)
        ]


def _operations(tensors: Sequence[Tensor]) -> set[str]:
    """Return the names of all operations in the graph behind tensors."""
    waiting = [each.grad_fn for each in tensors if each.grad_fn is not None]
    seen = set(waiting)
    while waiting:
        following = {node for node, _ in waiting.pop().next_functions if node is not None}
        waiting.extend(following - seen)
        seen |= following
    return {node.name() for node in seen}


class DifferenceProduct:
    """Multiplies the Hessian by a vector: gradients at two points to either side, and their slope."""

    def __init__(
        self, loss_fn: Callable[[], Tensor], parameters: Sequence[Tensor], decays: Sequence[float]
    ) -> None:
        self._loss_fn, self._parameters, self._decays = loss_fn, list(parameters), list(decays)
        self.gradient = [each.detach() for each in _gradient(loss_fn, self._parameters)]

    def __call__(self, vector: Sequence[Tensor]) -> list[Tensor]:
        """Return H v to some cube root of the dtype's precision, shaped as the parameters."""
        places = [each.detach() for each in self._parameters]
        lengths = [float(_dot(each, each)) ** 0.5 for each in (places, vector)]
        if not lengths[1]:
            return [torch.zeros_like(each) for each in vector]
        # The cube root balances the error of the slope against that of rounding.
        step = torch.finfo(places[0].dtype).eps ** (1 / 3) * max(lengths[0], 1e-3) / lengths[1]
        before = [each.clone() for each in places]
        try:
            sides = []
            for signed in (step, -step):
                torch._foreach_copy_(places, torch._foreach_add(before, list(vector), alpha=signed))
                sides.append(_gradient(self._loss_fn, self._parameters))
        finally:
            torch._foreach_copy_(places, before)
        return [
            (right - left) / (2 * step) + decay * v
            for right, left, decay, v in zip(*sides, self._decays, vector, strict=True)
        ]


def _gradient(
    loss_fn: Callable[[], Tensor], parameters: Sequence[Tensor], *, create_graph: bool = False
) -> tuple[Tensor, ...]:
    """Return the gradient without touching `.grad` or the random state."""
    devices = {each.device for each in parameters if each.device.type == "cuda"}
    # Fused attention has no second derivative; the plain one has.
    with (
        torch.enable_grad(),
        torch.random.fork_rng(devices=list(devices)),
        sdpa_kernel(SDPBackend.MATH),
    ):
        loss = loss_fn()
        if loss.numel() != 1 or not loss.requires_grad:
            raise UserError("loss_fn must return one number that depends on the parameters")
        # That it needs a derivative itself makes operations without a second one say so.
        one = torch.ones_like(loss, requires_grad=create_graph)
        return torch.autograd.grad(
            loss, parameters, one, create_graph=create_graph, materialize_grads=True
        )


def largest_eigenvalue(
    operator: Callable[[list[Tensor]], list[Tensor]], start: list[Tensor], n_iterations: int
) -> tuple[float, float, int]:
    """Return the largest eigenvalue of a symmetric operator, how far off it may be, and iterations.

    Lanczos' three-term recurrence without re-orthogonalisation, which keeps three vectors: rounding
    repeats extreme values in its table but does not move them. It finds the largest by sign, where
    power iteration would find the largest in size.
    """
    vector, before = _scaled(start, 1 / float(_dot(start, start)) ** 0.5), None
    diagonal: list[float] = []
    beside: list[float] = []
    for _ in range(n_iterations):
        after = operator(vector)
        diagonal.append(float(_dot(vector, after)))
        after = [a - diagonal[-1] * v for a, v in zip(after, vector, strict=True)]
        if before is not None:
            after = [a - beside[-1] * b for a, b in zip(after, before, strict=True)]
        beside.append(float(_dot(after, after)) ** 0.5)
        if beside[-1] <= EXHAUSTED * max(map(abs, diagonal + beside)):
            break
        before, vector = vector, _scaled(after, 1 / beside[-1])
    off = torch.tensor(beside[:-1], dtype=torch.float64)
    table = torch.diag(torch.tensor(diagonal, dtype=torch.float64)) + off.diag(1) + off.diag(-1)
    if not bool(table.isfinite().all()):
        return float("nan"), float("nan"), len(diagonal)
    values, vectors = torch.linalg.eigh(table)
    return float(values[-1]), float(beside[-1] * vectors[-1, -1].abs()), len(diagonal)


def _preconditioner(
    parameters: Sequence[nn.Parameter], optimizer: torch.optim.Optimizer
) -> tuple[list[tuple[Tensor, float]], float]:
    """Return each parameter's D and coupled weight decay, and the smallest threshold of the groups."""
    owner = {each: group for group in optimizer.param_groups for each in group["params"]}
    if missing := sum(each not in owner for each in parameters):
        raise UserError(f"{missing} of the parameters are not the optimizer's")
    groups = {id(owner[each]): owner[each] for each in parameters}
    limits = {
        key: sharpness_threshold(float(group["betas"][0]), float(group["lr"]))
        for key, group in groups.items()
    }
    smallest = min(limits.values())
    rows = []
    for each in parameters:
        group = owner[each]
        decay = 0.0 if group.get("decoupled_weight_decay") else float(group["weight_decay"])
        share = smallest / limits[id(group)]
        rows.append((share * _inverse_root(each, group, optimizer.state.get(each, {})), decay))
    return rows, smallest


def _inverse_root(parameter: Tensor, group: dict[str, Any], state: dict[str, Any]) -> Tensor:
    if isinstance(parameter, DTensor):
        raise UserError("the sharpness of sharded parameters is not measured; gather them first")
    v = state.get("max_exp_avg_sq", state.get("exp_avg_sq"))
    if v is None:
        raise UserError("the optimizer has not stepped these parameters yet; measure after a step")
    v_hat = v.detach().to(parameter.dtype) / (1 - float(group["betas"][1]) ** float(state["step"]))
    inverse: Tensor = 1 / (v_hat.sqrt() + float(group["eps"]))
    return inverse


def _start(parameters: Sequence[Tensor], seed: int) -> list[Tensor]:
    generators = {
        device: torch.Generator(device=device).manual_seed(seed)
        for device in {each.device for each in parameters}
    }
    return [
        torch.randn(
            each.shape, generator=generators[each.device], device=each.device, dtype=each.dtype
        )
        for each in parameters
    ]


def _times(factors: Sequence[Tensor], vector: Sequence[Tensor]) -> list[Tensor]:
    return [f * v for f, v in zip(factors, vector, strict=True)]


def _scaled(vector: Sequence[Tensor], factor: float) -> list[Tensor]:
    return [factor * each for each in vector]


def _dot(a: Sequence[Tensor], b: Sequence[Tensor]) -> Tensor:
    parts = [(x.double() * y.double()).sum() for x, y in zip(a, b, strict=True)]
    return torch.stack([part.to(parts[0].device) for part in parts]).sum()
