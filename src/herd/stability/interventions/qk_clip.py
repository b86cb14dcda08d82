"""Shrink the query rows of heads whose attention logits have grown too large.

In: the largest attention logit of each head in the last step, and the query projection. Out: the
projection with that head's rows multiplied by min(1, tau/max).
Never: keys, which heads share under grouped queries; so one head's clip changes no other head.
Source: QK-Clip of MuonClip (Kimi K2, 2025), tau 100. There query and key each take the square root
where a head has its own key; here the query takes all of it, which gives the same logits. A logit
is linear in the query, rotary embedding included, so the same input then gives max = tau exactly.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import torch
from torch import Tensor
from torch.distributed.tensor import DTensor, Replicate

from herd.foundation import UserError
from herd.stability.interventions.episode import record
from herd.stability.interventions.stage import Log


@dataclass(frozen=True, kw_only=True, slots=True)
class QKClipConfig:
    """The largest attention logit that a head may have, after the division by sqrt(head size)."""

    tau: float = 100.0

    def __post_init__(self) -> None:
        """Check the field."""
        if not 0 < self.tau < float("inf"):
            raise UserError(f"qk_clip.tau must be above 0 and finite: {self.tau}")


class QKClip:
    """The clip, called after the optimizer's step; it remembers by how much each head shrank.

    Not for models that normalise queries (QK-norm): there the projection's size does not matter.
    """

    name = "QK-clip"

    def __init__(
        self, config: QKClipConfig | None = None, *, enabled: bool = True, log: Log | None = None
    ) -> None:
        self.config = config or QKClipConfig()
        self.enabled = enabled
        self.log = log
        self.factors_H: dict[str, Tensor] = {}

    @torch.no_grad()
    def clip(
        self,
        query_weights: Mapping[str, Tensor],
        max_logits_H: Mapping[str, Tensor],
        *,
        step: int,
        query_biases: Mapping[str, Tensor] | None = None,
    ) -> None:
        """Scale in place the rows of each head in each weight, shape [n_heads * head size, width].

        `max_logits_H` holds for the same names the maxima over all ranks, shape [n_heads]. A head
        whose maximum is not finite stays. Raises UserError when rows do not divide into heads.
        """
        if not self.enabled:
            return
        for name, weight in query_weights.items():
            if name not in max_logits_H:
                raise UserError(f"QK-clip knows no attention logits of {name}")
            factors_H = head_factors(max_logits_H[name], self.config.tau)
            bias = (query_biases or {}).get(name)
            scale_heads(weight, factors_H, name)
            if bias is not None:
                scale_heads(bias, factors_H, name)
            before_H = self.factors_H.get(name, torch.ones_like(factors_H))
            self.factors_H[name] = before_H.to(factors_H.device) * factors_H
            self._report(step, name, max_logits_H[name], factors_H)

    @torch.no_grad()
    def undo(
        self,
        query_weights: Mapping[str, Tensor],
        *,
        step: int,
        query_biases: Mapping[str, Tensor] | None = None,
    ) -> None:
        """Divide the heads by all they were multiplied with; what they learned since stays."""
        for name, weight in query_weights.items():
            factors_H = self.factors_H.pop(name, None)
            if factors_H is None:
                continue
            scale_heads(weight, 1 / factors_H, name)
            bias = (query_biases or {}).get(name)
            if bias is not None:
                scale_heads(bias, 1 / factors_H, name)
            if self.log is not None:
                least = float(factors_H.min())
                what = f"query heads of {name} scaled back to their size before any clip"
                before, after = {"least_factor": least}, {"least_factor": 1.0}
                self.log(record(step, self.name, what, before=before, after=after, undone=True))

    def _report(self, step: int, name: str, max_logits_H: Tensor, factors_H: Tensor) -> None:
        if self.log is None:
            return
        heads = [head for head, factor in enumerate(factors_H.tolist()) if factor < 1]
        if not heads:
            return
        largest = float(max_logits_H[heads].max())
        what = (
            f"attention logits of {name} reached {largest:.4g}: {len(heads)} of {len(factors_H)} "
            f"query heads scaled down to {self.config.tau:g}"
        )
        before = {"max_logit": largest, "n_heads": 0}
        after = {"max_logit": self.config.tau, "n_heads": len(heads)}
        self.log(record(step, self.name, what, before=before, after=after))

    def state_dict(self) -> dict[str, Any]:
        """Return whether it is on, and the product of all factors so far."""
        return {
            "enabled": self.enabled,
            "factors": {name: factors_H.clone() for name, factors_H in self.factors_H.items()},
        }

    def load_state_dict(self, state: dict[str, Any]) -> None:
        """Take over what `state_dict` returned."""
        self.enabled = state["enabled"]
        self.factors_H = {name: factors_H.clone() for name, factors_H in state["factors"].items()}


def head_factors(max_logits_H: Tensor, tau: float) -> Tensor:
    """Return min(1, tau/max) for each head in float64; 1 where the maximum is not finite."""
    logits_H = max_logits_H.detach().double()
    above_H = torch.isfinite(logits_H) & (logits_H > tau)
    return torch.where(above_H, tau / logits_H, 1.0)


def scale_heads(weight: Tensor, factors_H: Tensor, name: str) -> None:
    """Multiply the rows of each head of a weight, or the items of a bias, in place."""
    n_rows, n_heads = weight.shape[0], len(factors_H)
    if n_heads == 0 or n_rows % n_heads:
        raise UserError(
            f"QK-clip: {n_rows} query rows of {name} do not divide into {n_heads} heads; give one "
            "largest logit for each query head"
        )
    rows = factors_H.to(
        device=weight.device, dtype=torch.promote_types(weight.dtype, torch.float32)
    )
    rows = rows.repeat_interleave(n_rows // n_heads).reshape(-1, *[1] * (weight.ndim - 1))
    if isinstance(weight, DTensor):
        everywhere = [Replicate()] * weight.device_mesh.ndim
        rows = DTensor.from_local(rows, weight.device_mesh, everywhere, run_check=False)
    weight.copy_((weight * rows).to(weight.dtype))
