"""Causal attention inside documents, with grouped query heads.

In: rotated queries, keys and values, and the documents of the batch. Out: the mix of the values,
one per query. A token sees itself and what came before it in its own document (Llama 3 paper,
section 3.2). Three ways to the same result: `attention_plain`; PyTorch's kernels (scaled dot
product, FlexAttention); and on a CPU `blocked_attention`.
Never: projections, caches, positions.
"""

from __future__ import annotations

import functools
from collections.abc import Callable
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import torch
from torch.nn import functional

from herd.ops.blocked_attention import blocked_attention
from herd.ops.precision import sum_dtype

if TYPE_CHECKING:
    # Imports much of torch's compiler, hence only where it is used, on a GPU.
    from torch.nn.attention.flex_attention import BlockMask


@dataclass(frozen=True, kw_only=True, slots=True)
class Documents:
    """Who may look at whom in one batch, prepared once for all layers by `documents_of`.

    `first_key_T` is the first key that any row's query t may see, as numbers that Python knows, or
    None where finding out would stall the device; `block_mask` is for FlexAttention.
    """

    segment_BT: torch.Tensor
    first_key_T: tuple[int, ...] | None = None
    block_mask: BlockMask | None = None


def attention_plain(
    q_BTHC: torch.Tensor,
    k_BSKC: torch.Tensor,
    v_BSKC: torch.Tensor,
    segment_BT: torch.Tensor | None = None,
) -> torch.Tensor:
    """Return the attention of every query over its visible keys, shape [B, T, H, C].

    Scores and softmax in float32. Query t sits at key S - T + t, so that the last query sees all
    keys. Segments need T = S.
    """
    dtype, wide = q_BTHC.dtype, sum_dtype(q_BTHC)
    n_rows, n_queries, _, n_channels = q_BTHC.shape
    n_keys, n_kv_heads = k_BSKC.shape[1:3]
    q_BTHC, k_BSKC, v_BSKC = (x.to(wide) for x in (q_BTHC, k_BSKC, v_BSKC))
    q_BTKGC = q_BTHC.reshape(n_rows, n_queries, n_kv_heads, -1, n_channels)
    scores_BKGTS = torch.einsum("BTKGC,BSKC->BKGTS", q_BTKGC, k_BSKC) / n_channels**0.5
    visible_BTS = causal_mask(n_queries, n_keys, device=q_BTHC.device)[None]
    if segment_BT is not None:
        visible_BTS = visible_BTS & (segment_BT[:, :, None] == segment_BT[:, None, :])
    scores_BKGTS = scores_BKGTS.masked_fill(~visible_BTS[:, None, None], float("-inf"))
    out_BTKGC = torch.einsum("BKGTS,BSKC->BTKGC", scores_BKGTS.softmax(-1), v_BSKC)
    return out_BTKGC.flatten(2, 3).to(dtype)


def causal_mask(n_queries: int, n_keys: int, *, device: torch.device | None = None) -> torch.Tensor:
    """Return True where query t, at key index S - T + t, may look; shape [T, S]."""
    ones_TS = torch.ones(n_queries, n_keys, dtype=torch.bool, device=device)
    return ones_TS.tril(n_keys - n_queries)


def attention(
    q_BTHC: torch.Tensor,
    k_BSKC: torch.Tensor,
    v_BSKC: torch.Tensor,
    documents: Documents | None = None,
) -> torch.Tensor:
    """Do what `attention_plain` does by whatever is fastest where the tensors are."""
    n_queries, n_keys = q_BTHC.shape[1], k_BSKC.shape[1]
    if documents is not None and documents.block_mask is not None:
        return _flex(q_BTHC, k_BSKC, v_BSKC, documents.block_mask)
    if documents is not None or (q_BTHC.device.type == "cpu" and n_queries == n_keys > 1):
        segment_BT = None if documents is None else documents.segment_BT
        first_key_T = None if documents is None else documents.first_key_T
        return blocked_attention(q_BTHC, k_BSKC, v_BSKC, segment_BT, first_key_T)
    mask_TS = None
    if 1 < n_queries < n_keys:
        mask_TS = causal_mask(n_queries, n_keys, device=q_BTHC.device)
    return functional.scaled_dot_product_attention(
        q_BTHC.transpose(1, 2),
        k_BSKC.transpose(1, 2),
        v_BSKC.transpose(1, 2),
        attn_mask=mask_TS,
        is_causal=n_queries == n_keys > 1,
        enable_gqa=q_BTHC.shape[2] != k_BSKC.shape[2],
    ).transpose(1, 2)


def documents_of(segment_BT: torch.Tensor | None) -> Documents | None:
    """Prepare the mask of one batch; None, which is plain causal attention, for one document a row.

    Nothing here reads a CUDA tensor from Python: there the mask goes to FlexAttention whole.
    """
    if segment_BT is None:
        return None
    if segment_BT.is_cuda:
        return Documents(segment_BT=segment_BT, block_mask=_block_mask(segment_BT))
    if torch.compiler.is_compiling():
        return Documents(segment_BT=segment_BT)
    first_key_T = segment_starts(segment_BT).amin(0).tolist()
    one_a_row = bool((segment_BT == segment_BT[:, :1]).all())
    return None if one_a_row else Documents(segment_BT=segment_BT, first_key_T=tuple(first_key_T))


def segment_starts(segment_BT: torch.Tensor) -> torch.Tensor:
    """Return for each token the index at which its segment began, shape [B, T]."""
    index_1T = torch.arange(segment_BT.shape[1], device=segment_BT.device)[None]
    begins_BT = functional.pad(segment_BT[:, 1:] != segment_BT[:, :-1], (1, 0), value=True)
    return torch.where(begins_BT, index_1T, 0).cummax(dim=1).values


def _flex(
    q_BTHC: torch.Tensor, k_BSKC: torch.Tensor, v_BSKC: torch.Tensor, block_mask: BlockMask
) -> torch.Tensor:
    out_BHTC: torch.Tensor = _compiled_flex_attention()(
        q_BTHC.transpose(1, 2),
        k_BSKC.transpose(1, 2),
        v_BSKC.transpose(1, 2),
        block_mask=block_mask,
        enable_gqa=q_BTHC.shape[2] != k_BSKC.shape[2],
    )
    return out_BHTC.transpose(1, 2)


def _block_mask(segment_BT: torch.Tensor) -> BlockMask:
    from torch.nn.attention.flex_attention import create_block_mask

    def visible(b: Any, h: Any, t: Any, s: Any) -> Any:
        return (t >= s) & (segment_BT[b, t] == segment_BT[b, s])

    n_rows, n_tokens = segment_BT.shape
    return create_block_mask(
        visible, n_rows, None, n_tokens, n_tokens, device=str(segment_BT.device)
    )


@functools.cache
def _compiled_flex_attention() -> Callable[..., torch.Tensor]:
    from torch.nn.attention.flex_attention import flex_attention

    return torch.compile(flex_attention)
