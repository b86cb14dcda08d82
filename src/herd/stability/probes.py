"""How large attention logits and output logits have grown, measured while a model trains.

In: a model whose query, key and output layers have names, or q, k and logits themselves. Out: for each
head the largest attention logit or a bound on it, for the output log Z and the largest logit; tensors on
the device, of a few positions. Never: a random number, a wait for the device, a change of the training.
The tables of thresholds are `run_signals.py`'s; pass the results to `AdamWatch.step`.
"""

import math
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import torch
from torch import Tensor, nn
from torch.distributed.tensor import DTensor

from herd.foundation import UserError

QUERY_AND_KEY = (("q_proj", "k_proj"), ("wq", "wk"), ("q", "k"), ("query", "key"))
NORMS = ("q_norm", "k_norm")  # where a model has these, they come after the projections
HEAD_DIM = ("head_dim", "attention_head_size", "d_kv")
OUTPUT = ("lm_head", "output", "embed_out")
N_SEQUENCES, N_POSITIONS = 4, 64


def max_attention_logits(
    q_BTHC: Tensor, k_BSKC: Tensor, *, causal: bool = True, scale: float | None = None
) -> Tensor:
    """Return the largest attention logit of every head, shape [H], exact for these q and k.

    `scale` is 1/sqrt(C) if not given. H / K query heads share a key head; with `causal` query t sees
    the keys up to S - T + t.
    """
    largest_H: Tensor = _logits(q_BTHC, k_BSKC, causal, scale).amax(dim=(0, 2, 3))
    return largest_H


def attention_entropy(
    q_BTHC: Tensor, k_BSKC: Tensor, *, causal: bool = True, scale: float | None = None
) -> Tensor:
    """Return the mean entropy of attention rows of every head, shape [H], in nats.

    Rows that see a single key have none and count as 0. It falls to 0 in an entropy collapse (Zhai et
    al. 2023, arXiv 2303.06296).
    """
    log_p_BHTS = _logits(q_BTHC, k_BSKC, causal, scale).log_softmax(dim=-1)
    entropy_BHT: Tensor = torch.special.entr(log_p_BHTS.exp()).sum(dim=-1)
    mean_H: Tensor = entropy_BHT.mean(dim=(0, 2))
    return mean_H


def attention_logit_bound(q_BTHC: Tensor, k_BSKC: Tensor, *, scale: float | None = None) -> Tensor:
    """Return max|q_i| max|k_j| * scale of every head, shape [H]: no logit of it can be larger.

    Rotary embedding keeps the lengths of q and k, so this holds before and after it.
    """
    q_BH = q_BTHC.float().norm(dim=-1).amax(dim=1)
    k_BH = _shared(k_BSKC.float().norm(dim=-1).amax(dim=1), q_BTHC.shape[2], dim=1)
    bound_H: Tensor = (q_BH * k_BH).amax(dim=0) * _scale(q_BTHC, scale)
    return bound_H


@dataclass(frozen=True, eq=False, slots=True)
class OutputLogits:
    """Means over positions of log Z and log^2 Z, and the largest |logit|; each of shape []."""

    log_z: Tensor
    log_z_squared: Tensor
    max_abs_logit: Tensor


def output_logits(
    hidden_ND: Tensor, weight_VD: Tensor, n_positions: int = N_POSITIONS
) -> OutputLogits:
    """Return the statistics of `hidden @ weight.T` at `n_positions` rows, evenly spaced.

    For losses that never hold all logits, such as a chunked cross-entropy.
    """
    with torch.no_grad():
        rows_ND = _spaced(hidden_ND.detach().flatten(0, -2), 0, n_positions).float()
        return _summarise(rows_ND @ weight_VD.detach().float().T)


class AttentionLogitProbe:
    """Keeps the largest attention logit of every head of every layer since the last `take`.

    Where a model rotates q and k after their projections, as Llamas do, the numbers are the bound
    `attention_logit_bound`; with `rotates=False` they are exact, for causal attention. Only forward
    passes in training mode count, and of these the first sequences and evenly spaced positions.
    """

    def __init__(
        self,
        model: nn.Module,
        *,
        names: tuple[str, str] | None = None,
        head_dim: int | None = None,
        rotates: bool = True,
        n_positions: int = N_POSITIONS,
    ) -> None:
        """Find the query and key layers, by `names` or the usual ones, and hook them.

        Raises UserError when there are none, or the size of a head is not known.
        """
        self._rotates, self._n_positions = rotates, n_positions
        self._kept: dict[str, Tensor] = {}
        self._waiting: dict[tuple[str, int], Tensor] = {}
        self._hooks: list[Any] = []
        pairs = (names,) if names else QUERY_AND_KEY
        for layer, parent in model.named_modules():
            children = dict(parent.named_children())
            for query, key in pairs:
                if query in children and key in children:
                    self._hook(layer, parent, (children[query], children[key]), head_dim)
                    break
        if not self._hooks:
            tried = ", ".join(f"{q}/{k}" for q, k in pairs)
            raise UserError(f"no module has query and key layers called {tried}; give names=(q, k)")

    def take(self) -> dict[str, Tensor]:
        """Return the largest logit of each head, `[H]` by attention layer, and forget them."""
        kept, self._kept = self._kept, {}
        return kept

    def detach(self) -> None:
        """Take the hooks out of the model."""
        for hook in self._hooks:
            hook.remove()
        self._hooks = []

    def _hook(
        self, layer: str, parent: nn.Module, pair: tuple[nn.Module, nn.Module], head_dim: int | None
    ) -> None:
        size = head_dim or next((getattr(parent, a) for a in HEAD_DIM if hasattr(parent, a)), None)
        if not isinstance(size, int):
            raise UserError(
                f"{layer or 'the model'} does not say how wide a head is; give head_dim"
            )
        own_scale = getattr(parent, "scaling", None)
        scale = own_scale if isinstance(own_scale, float) else size**-0.5
        children = dict(parent.named_children())
        for role, projection in enumerate(pair):
            n_heads = _width(projection, layer) // size
            module = children.get(NORMS[role], projection)

            def see(
                module: nn.Module, _: Any, output: Tensor, role: int = role, n_heads: int = n_heads
            ) -> None:
                if module.training:
                    heads = self._sample(output, n_heads, size)
                    self._waiting[layer, role] = heads
                    self._join(layer, scale)

            self._hooks.append(module.register_forward_hook(see))

    def _sample(self, output: Tensor, n_heads: int, head_dim: int) -> Tensor:
        """Return a few positions as `[B, T, heads, C]`, from there or from `[B, heads, T, C]`."""
        x = _local(output.detach())
        if x.dim() == 4 and x.shape[1] == n_heads != x.shape[2]:
            x = x.transpose(1, 2)
        x = x if x.dim() > 2 else x[None]
        x_BTHC = x.reshape(x.shape[0], x.shape[1], -1, head_dim)[:N_SEQUENCES]
        return _spaced(x_BTHC, 1, self._n_positions)

    @torch.no_grad()
    def _join(self, layer: str, scale: float) -> None:
        """Measure as soon as both q and k of a forward pass are there."""
        if not ((layer, 0) in self._waiting and (layer, 1) in self._waiting):
            return
        q_BTHC, k_BSKC = self._waiting.pop((layer, 0)), self._waiting.pop((layer, 1))
        measure = attention_logit_bound if self._rotates else max_attention_logits
        now_H = measure(q_BTHC, k_BSKC, scale=scale)
        before_H = self._kept.get(layer)
        self._kept[layer] = now_H if before_H is None else torch.maximum(before_H, now_H)


class OutputLogitProbe:
    """Keeps log Z and the largest output logit since the last `take`, from the output layer's logits.

    Where a loss does not call the output layer as a module, use `output_logits` instead.
    """

    def __init__(
        self, model: nn.Module, *, name: str | None = None, n_positions: int = N_POSITIONS
    ) -> None:
        """Hook the output layer: `name`, or `lm_head` and the like. Raises UserError if none is."""
        modules = dict(model.named_modules())
        found = next((each for each in ((name,) if name else OUTPUT) if each in modules), None)
        if found is None:
            raise UserError(
                f"the model has no output layer {name or ', '.join(OUTPUT)}; give its name"
            )
        self._n_positions = n_positions
        self._kept: list[OutputLogits] = []
        self._hook = modules[found].register_forward_hook(self._see)

    def take(self) -> OutputLogits | None:
        """Return means over the forward passes since the last time; None if there was none."""
        kept, self._kept = self._kept, []
        if not kept:
            return None
        return OutputLogits(
            log_z=torch.stack([each.log_z for each in kept]).mean(),
            log_z_squared=torch.stack([each.log_z_squared for each in kept]).mean(),
            max_abs_logit=torch.stack([each.max_abs_logit for each in kept]).amax(),
        )

    def detach(self) -> None:
        """Take the hook out of the model."""
        self._hook.remove()

    @torch.no_grad()
    def _see(self, module: nn.Module, _: Any, output: Tensor) -> None:
        if module.training:
            logits_NV = _spaced(output.detach().flatten(0, -2), 0, self._n_positions)
            whole = logits_NV.full_tensor() if isinstance(logits_NV, DTensor) else logits_NV
            self._kept.append(_summarise(whole.float()))


def largest(logits: Mapping[str, Tensor]) -> Tensor | None:
    """Return the largest of all heads and layers, shape [], for `AdamWatch.step`; None if empty."""
    if not logits:
        return None
    return torch.stack([each.amax() for each in logits.values()]).amax()


def _logits(q_BTHC: Tensor, k_BSKC: Tensor, causal: bool, scale: float | None) -> Tensor:
    k_BSHC = _shared(k_BSKC, q_BTHC.shape[2], dim=2)
    logits_BHTS = torch.einsum("bthc,bshc->bhts", q_BTHC.float(), k_BSHC.float())
    logits_BHTS = logits_BHTS * _scale(q_BTHC, scale)
    if not causal:
        return logits_BHTS
    n_queries, n_keys = logits_BHTS.shape[2:]
    if n_queries > n_keys:
        raise UserError(f"causal attention needs a key for every query: {n_queries} > {n_keys}")
    ahead_TS = torch.ones(n_queries, n_keys, dtype=torch.bool, device=q_BTHC.device)
    return logits_BHTS.masked_fill(ahead_TS.triu(n_keys - n_queries + 1), -math.inf)


def _shared(k: Tensor, n_heads: int, dim: int) -> Tensor:
    """Repeat key heads for the query heads that share them."""
    if n_heads % k.shape[dim]:
        raise UserError(f"{n_heads} query heads cannot share {k.shape[dim]} key heads")
    return k.repeat_interleave(n_heads // k.shape[dim], dim=dim)


def _scale(q_BTHC: Tensor, scale: float | None) -> float:
    return q_BTHC.shape[-1] ** -0.5 if scale is None else scale


def _spaced(x: Tensor, dim: int, n: int) -> Tensor:
    """Return about n, at most 2n - 1, evenly spaced entries along one dimension, as a view."""
    stride = max(1, x.shape[dim] // n)
    slices = [slice(None)] * dim + [slice(None, None, stride)]
    return x[tuple(slices)]


def _summarise(logits_NV: Tensor) -> OutputLogits:
    log_z_N = logits_NV.logsumexp(dim=-1)
    return OutputLogits(log_z_N.mean(), log_z_N.square().mean(), logits_NV.abs().amax())


def _width(projection: nn.Module, layer: str) -> int:
    weight = getattr(projection, "weight", None)
    if not isinstance(weight, Tensor) or weight.dim() != 2:
        raise UserError(f"the query and key layers of {layer or 'the model'} are no linear layers")
    return weight.shape[0]


def _local(x: Tensor) -> Tensor:
    return x.to_local() if isinstance(x, DTensor) else x
