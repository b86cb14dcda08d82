"""Causal attention inside documents, with grouped query heads.

In: rotated queries, keys and values, and the segment (document) of every token. Out: the mix of
the values, one per query. A token sees itself and what came before it in its own document
(Llama 3 paper, section 3.2).
Never: projections, caches, positions.
"""

import functools
from collections.abc import Callable
from typing import Any

import torch
from torch.nn import functional
from torch.nn.attention.flex_attention import BlockMask, create_block_mask, flex_attention


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
    n_rows, n_queries, _, n_channels = q_BTHC.shape
    n_keys, n_kv_heads = k_BSKC.shape[1:3]
    q_BTKGC = q_BTHC.float().reshape(n_rows, n_queries, n_kv_heads, -1, n_channels)
    scores_BKGTS = torch.einsum("BTKGC,BSKC->BKGTS", q_BTKGC, k_BSKC.float()) / n_channels**0.5
    mask_TS = causal_mask(n_queries, n_keys, device=q_BTHC.device)
    mask_BTS = mask_TS if segment_BT is None else mask_TS & same_segment(segment_BT)
    visible_BKGTS = mask_BTS.reshape(-1, 1, 1, n_queries, n_keys)
    weights_BKGTS = scores_BKGTS.masked_fill(~visible_BKGTS, float("-inf")).softmax(-1)
    out_BTKGC = torch.einsum("BKGTS,BSKC->BTKGC", weights_BKGTS, v_BSKC.float())
    return out_BTKGC.flatten(2, 3).to(q_BTHC.dtype)


def causal_mask(n_queries: int, n_keys: int, *, device: torch.device | None = None) -> torch.Tensor:
    """Return True where query t, at key index S - T + t, may look; shape [T, S]."""
    ones_TS = torch.ones(n_queries, n_keys, dtype=torch.bool, device=device)
    return ones_TS.tril(n_keys - n_queries)


def same_segment(segment_BT: torch.Tensor) -> torch.Tensor:
    """Return True where two tokens share a document, shape [B, T, T]."""
    return segment_BT[:, :, None] == segment_BT[:, None, :]


def attention(
    q_BTHC: torch.Tensor,
    k_BSKC: torch.Tensor,
    v_BSKC: torch.Tensor,
    documents: torch.Tensor | BlockMask | None = None,
) -> torch.Tensor:
    """Do what `attention_plain` does, fast. `documents` comes from `document_mask`."""
    q_BHTC, k_BKSC, v_BKSC = (x.transpose(1, 2) for x in (q_BTHC, k_BSKC, v_BSKC))
    grouped = q_BHTC.shape[1] != k_BKSC.shape[1]
    if isinstance(documents, BlockMask):
        out_BHTC = _compiled_flex_attention()(
            q_BHTC, k_BKSC, v_BKSC, block_mask=documents, enable_gqa=grouped
        )
        return out_BHTC.transpose(1, 2)
    n_queries, n_keys = q_BHTC.shape[2], k_BKSC.shape[2]
    mask = documents
    if documents is None and 1 < n_queries < n_keys:
        mask = causal_mask(n_queries, n_keys, device=q_BHTC.device)
    out_BHTC = functional.scaled_dot_product_attention(
        q_BHTC,
        k_BKSC,
        v_BKSC,
        attn_mask=mask,
        is_causal=mask is None and n_queries > 1,
        enable_gqa=grouped,
    )
    return out_BHTC.transpose(1, 2)


def document_mask(segment_BT: torch.Tensor | None) -> torch.Tensor | BlockMask | None:
    """Prepare the mask of one batch, once for all layers.

    None (plain causal attention) when there is one document per row, which is looked up only where
    looking does not make the processor wait for the device.
    """
    if segment_BT is None:
        return None
    if segment_BT.device.type == "cuda":
        return _block_mask(segment_BT)
    if not torch.compiler.is_compiling() and bool((segment_BT == segment_BT[:, :1]).all()):
        return None
    n_tokens = segment_BT.shape[1]
    causal_TT = causal_mask(n_tokens, n_tokens, device=segment_BT.device)
    return (causal_TT & same_segment(segment_BT))[:, None]


def _block_mask(segment_BT: torch.Tensor) -> BlockMask:
    def visible(b: Any, h: Any, t: Any, s: Any) -> Any:
        return (t >= s) & (segment_BT[b, t] == segment_BT[b, s])

    n_rows, n_tokens = segment_BT.shape
    return create_block_mask(
        visible, n_rows, None, n_tokens, n_tokens, device=str(segment_BT.device)
    )


@functools.cache
def _compiled_flex_attention() -> Callable[..., torch.Tensor]:
    return torch.compile(flex_attention)
