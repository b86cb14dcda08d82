"""Is epsilon too large for some tensors, what would fit, and what speaks against changing it.

In: an optimizer of Adam's family after some steps. Out: q = epsilon/RMS(sqrt(v)) of each tensor,
a recommendation, the counter-evidence in words, and a hint when a loss scale seems to have changed.
Never: a changed epsilon; it advises.
Source: ours; v is bias-corrected. Above q = 0.1 epsilon takes a tenth or more of the update's size.
"""

import statistics
from collections.abc import Iterable, Sequence
from dataclasses import dataclass

import torch
from torch import Tensor

from herd.stability.interventions.episode import named
from herd.stability.interventions.shard_sums import ReduceSums, stacked, sum_over_shards
from herd.stability.interventions.stage import named_tensors
from herd.stability.interventions.tensor_step import TensorStep

LARGE_RATIO = 0.1
LEAST_EPSILON = 1e-15
COUNTER_EVIDENCE = (
    "A smaller epsilon is not always better. For it: Wortsman et al. 2023 saw a collapse at 1e-6 "
    "mended by 1e-15, and MiniMax-M1 trains with 1e-15. Against it: in AdaGC's replications a "
    "smaller epsilon could bring spikes on, and in our own toy (logistic regression behind a gain "
    "step) an epsilon far below the gradients let a flat direction drift on pure noise, so that the "
    "loss jumped higher when the gain rose. Change it for tensors above 0.1, and watch."
)
LEAST_JUMP = 4.0  # of all second moments together, to look like a changed loss scale
SPREAD = 1.25  # within which they must move together


@dataclass(frozen=True, kw_only=True, slots=True)
class TensorEpsilon:
    """One tensor: its epsilon, RMS(sqrt(v)), and their ratio q (infinite where v is 0)."""

    name: str
    epsilon: float
    second_moment_rms: float
    ratio: float


@dataclass(frozen=True, kw_only=True, slots=True)
class EpsilonAdvice:
    """The tensors in the optimizer's order, and the epsilon that would suit all of them.

    `recommended` is 0.1 * min RMS(sqrt(v)), at least 1e-15; None when no tensor has a gradient.
    `silent` tensors have had none but zeros; they do not enter the recommendation.
    """

    tensors: tuple[TensorEpsilon, ...]
    recommended: float | None

    @property
    def large(self) -> tuple[TensorEpsilon, ...]:
        """The tensors with q above 0.1 that have gradients, the largest q first."""
        high = [t for t in self.tensors if LARGE_RATIO < t.ratio < float("inf")]
        return tuple(sorted(high, key=lambda tensor: -tensor.ratio))

    @property
    def silent(self) -> tuple[str, ...]:
        """The tensors whose second moment is exactly 0."""
        return tuple(t.name for t in self.tensors if t.second_moment_rms == 0)

    def sentences(self) -> list[str]:
        """Return the advice in words."""
        lines = []
        if self.silent:
            lines.append(f"{named(list(self.silent))}: no gradient but zeros so far")
        if not self.large:
            return [*lines, "epsilon is below a tenth of RMS(sqrt(v)) in every tensor; keep it"]
        worst = self.large[0]
        lines.append(
            f"epsilon is {worst.ratio:.3g} times RMS(sqrt(v)) in {worst.name} and above 0.1 in "
            f"{len(self.large)} of {len(self.tensors)} tensors "
            f"({named([tensor.name for tensor in self.large])}): these train slower than Adam means"
        )
        lines.append(
            f"an epsilon of {self.recommended:.3g} would suit every tensor; or give each its own "
            "by relative_epsilon = 1e-3"
        )
        return [*lines, COUNTER_EVIDENCE]


@torch.no_grad()
def advise_epsilon(
    optimizer: torch.optim.Optimizer,
    *,
    named_parameters: Iterable[tuple[str, Tensor]] = (),
    reduce_sums: ReduceSums = sum_over_shards,
) -> EpsilonAdvice:
    """Look at every tensor that has been stepped; waits for the device."""
    tensors = _stepped(optimizer, {id(p): name for name, p in named_parameters})
    if not tensors:
        return EpsilonAdvice(tensors=(), recommended=None)
    sums_T = stacked([tensor.corrected_second_moment().sum().double() for tensor in tensors])
    sums = reduce_sums(sums_T, [tensor.parameter for tensor in tensors]).tolist()
    found = []
    for tensor, total in zip(tensors, sums, strict=True):
        rms = (total / tensor.n_coordinates) ** 0.5
        epsilon = float(tensor.group["eps"])
        ratio = epsilon / rms if rms > 0 else float("inf")
        found.append(
            TensorEpsilon(name=tensor.name, epsilon=epsilon, second_moment_rms=rms, ratio=ratio)
        )
    rms_values = [tensor.second_moment_rms for tensor in found if tensor.second_moment_rms > 0]
    recommended = max(LEAST_EPSILON, LARGE_RATIO * min(rms_values)) if rms_values else None
    return EpsilonAdvice(tensors=tuple(found), recommended=recommended)


def loss_scale_hint(before: EpsilonAdvice, after: EpsilonAdvice) -> str:
    """Return a hint when all second moments moved together, else an empty text.

    Loss scaled by k with the same epsilon is the same as epsilon/k: a mean that became a sum,
    another number of accumulated micro-batches, a bug of the loss scale.
    """
    old = {tensor.name: tensor.second_moment_rms for tensor in before.tensors}
    factors = [
        tensor.second_moment_rms / old[tensor.name]
        for tensor in after.tensors
        if old.get(tensor.name, 0) > 0 and tensor.second_moment_rms > 0
    ]
    if len(factors) < 2:
        return ""
    middle = statistics.median(factors)
    together = all(1 / SPREAD <= factor / middle <= SPREAD for factor in factors)
    if not together or 1 / LEAST_JUMP < middle < LEAST_JUMP:
        return ""
    return (
        f"the gradients of all {len(factors)} tensors changed by the same factor, {middle:.3g}: was "
        "the loss scaled otherwise (mean or sum, accumulated micro-batches, loss scale)? With the "
        f"same epsilon that is as if epsilon had become {1 / middle:.3g} times as large"
    )


def _stepped(optimizer: torch.optim.Optimizer, names: dict[int, str]) -> Sequence[TensorStep]:
    found = []
    for name, parameter, group in named_tensors(optimizer, names):
        state = optimizer.state.get(parameter, {})
        if "exp_avg_sq" in state and parameter.numel():
            found.append(TensorStep(name, parameter, group, state))
    return found
