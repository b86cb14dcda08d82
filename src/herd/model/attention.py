"""The attention layer: projections, rotation, attention, projection back.

In: normed activations, the rotary tables and the document mask of the batch. Out: what is added
to the residual stream. Grouped queries: G = H / K query heads share one key-value head.
Never: the allocation of caches (a `KeyValueCache` or `PackedCache` is handed in), or the mathematics (`herd.ops`).
"""

from typing import Protocol, runtime_checkable

import torch
from torch import nn

from herd import ops
from herd.model.config import ModelConfig


class KeyValueCache(Protocol):
    """Where the keys and values of earlier tokens are kept, by whoever does inference."""

    def update(
        self, layer: int, k_BTKC: torch.Tensor, v_BTKC: torch.Tensor
    ) -> tuple[torch.Tensor, torch.Tensor]:
        """Append T tokens (keys already rotated); return all S of them, `k_BSKC, v_BSKC`.

        Query t then sits at key index S - T + t.
        """
        ...


@runtime_checkable
class PackedCache(Protocol):
    """The caches of several sequences whose new tokens lie one after another in one row.

    The projections then see the tokens of all sequences at once, and the cache, which alone knows
    where one sequence ends and where its earlier tokens are kept, does the attention.
    """

    def attend(
        self, layer: int, q_BTHC: torch.Tensor, k_BTKC: torch.Tensor, v_BTKC: torch.Tensor
    ) -> torch.Tensor:
        """Keep the keys (already rotated) and values; return what each query sees, [B, T, H, C]."""
        ...


class Attention(nn.Module):
    """Grouped-query attention without biases; `layer` is the index told to the cache."""

    def __init__(self, config: ModelConfig, layer: int) -> None:
        super().__init__()
        self.layer = layer
        self.head_dim = config.head_dim
        query_dim = config.n_heads * config.head_dim
        kv_dim = config.n_kv_heads * config.head_dim
        self.q = nn.Linear(config.dim, query_dim, bias=False)
        self.k = nn.Linear(config.dim, kv_dim, bias=False)
        self.v = nn.Linear(config.dim, kv_dim, bias=False)
        self.o = nn.Linear(query_dim, config.dim, bias=False)

    def forward(
        self,
        x_BTD: torch.Tensor,
        rope: tuple[torch.Tensor, torch.Tensor],
        documents: ops.Documents | None,
        cache: KeyValueCache | PackedCache | None,
    ) -> torch.Tensor:
        """Return the attention output, shape [B, T, D]."""
        q_BTHC = ops.apply_rope(self._heads(self.q(x_BTD)), *rope)
        k_BTKC = ops.apply_rope(self._heads(self.k(x_BTD)), *rope)
        v_BTKC = self._heads(self.v(x_BTD))
        if cache is not None and isinstance(cache, PackedCache):
            out_BTHC = cache.attend(self.layer, q_BTHC, k_BTKC, v_BTKC)
        else:
            if cache is not None:
                k_BTKC, v_BTKC = cache.update(self.layer, k_BTKC, v_BTKC)
            out_BTHC = ops.attention(q_BTHC, k_BTKC, v_BTKC, documents)
        return self.o(out_BTHC.flatten(2))  # type: ignore[no-any-return]

    @torch.no_grad()
    def largest_logits_H(
        self,
        x_BTD: torch.Tensor,
        rope: tuple[torch.Tensor, torch.Tensor],
        documents: ops.Documents | None,
    ) -> torch.Tensor:
        """Return each query head's largest visible logit, q.k/sqrt(C), shape [H], float32.

        It holds all logits at once, B * H * T * T of them; give it little.
        """
        q_BTHC = ops.apply_rope(self._heads(self.q(x_BTD)), *rope).float()
        k_BTKC = ops.apply_rope(self._heads(self.k(x_BTD)), *rope).float()
        n_queries = q_BTHC.shape[1]
        q_BTKGC = q_BTHC.view(*q_BTHC.shape[:2], k_BTKC.shape[2], -1, self.head_dim)
        logits_BKGTS = torch.einsum("BTKGC,BSKC->BKGTS", q_BTKGC, k_BTKC) / self.head_dim**0.5
        visible_BTS = torch.ones(n_queries, n_queries, dtype=torch.bool, device=x_BTD.device)
        visible_BTS = visible_BTS.tril()[None]
        if documents is not None:
            segment_BT = documents.segment_BT
            visible_BTS = visible_BTS & (segment_BT[:, :, None] == segment_BT[:, None, :])
        logits_BKGTS = logits_BKGTS.masked_fill(~visible_BTS[:, None, None], float("-inf"))
        largest_KG: torch.Tensor = logits_BKGTS.amax((0, 3, 4))
        return largest_KG.flatten()

    def _heads(self, x_BTE: torch.Tensor) -> torch.Tensor:
        return x_BTE.view(*x_BTE.shape[:-1], -1, self.head_dim)
