"""Attention on a CPU, one block of queries at a time.

PyTorch's flash kernel for CPUs computes the scores that causality hides, keeps the exponentials
waiting for its small matrix products, and in training takes 1.6 times as long as this: for a
block of queries, one batched product with the keys it may see, a softmax, one with the values.
Memory stays linear in the sequence, for the backward pass makes each block's weights again.

In: queries, keys, values of the same T tokens, segments. Out: what `attention_plain` returns; in
bfloat16 the scores are rounded to it before the softmax, as any unfused implementation does.
Never: a cache of keys; with one, a single query needs no blocks.
"""

from typing import Any, NamedTuple

import torch

BLOCK_QUERIES = 128
MIN_BLOCK_QUERIES = 16
BLOCK_SCORES = 1 << 25  # scores alive at once, 64 MiB in bfloat16


def blocked_attention(
    q_BTHC: torch.Tensor,
    k_BTKC: torch.Tensor,
    v_BTKC: torch.Tensor,
    segment_BT: torch.Tensor | None = None,
    first_key_T: tuple[int, ...] | None = None,
) -> torch.Tensor:
    """Return the causal attention inside segments, shape [B, T, H, C].

    `first_key_T` says from which key on any row's query t may look (all keys if not given).
    """
    out_BTHC: torch.Tensor = _BlockedAttention.apply(  # type: ignore[no-untyped-call]
        q_BTHC, k_BTKC, v_BTKC, segment_BT, first_key_T
    )
    return out_BTHC


class _Block(NamedTuple):
    """Queries [start, stop) and the keys [first_key, stop) that they may see."""

    start: int
    stop: int
    first_key: int


class _BlockedAttention(torch.autograd.Function):
    """Inside, E stands for B * K, and grouped queries are further rows: [E, G, T, C]."""

    @staticmethod
    def forward(
        ctx: Any,
        q_BTHC: torch.Tensor,
        k_BTKC: torch.Tensor,
        v_BTKC: torch.Tensor,
        segment_BT: torch.Tensor | None,
        first_key_T: tuple[int, ...] | None,
    ) -> torch.Tensor:
        ctx.save_for_backward(q_BTHC, k_BTKC, v_BTKC, segment_BT)
        ctx.first_key_T = first_key_T
        k_ETC, v_ETC = _by_head(k_BTKC), _by_head(v_BTKC)
        q_EGTC = _by_group(q_BTHC, k_BTKC.shape[2])
        out_EGTC = torch.empty_like(q_EGTC)
        for block in _blocks(q_BTHC, first_key_T):
            weights_EXS = _weights(_rows(q_EGTC, block), k_ETC, segment_BT, block)
            out_EXC = torch.bmm(weights_EXS, _keys(v_ETC, block))
            out_EGTC[:, :, block.start : block.stop] = _ungroup(out_EXC, q_EGTC)
        return _to_tokens(out_EGTC, q_BTHC)

    @staticmethod
    @torch.autograd.function.once_differentiable
    def backward(ctx: Any, grad_BTHC: torch.Tensor) -> tuple[torch.Tensor | None, ...]:
        q_BTHC, k_BTKC, v_BTKC, segment_BT = ctx.saved_tensors
        k_ETC, v_ETC = _by_head(k_BTKC), _by_head(v_BTKC)
        q_EGTC = _by_group(q_BTHC, k_BTKC.shape[2])
        grad_EGTC = _by_group(grad_BTHC, k_BTKC.shape[2], scale=1.0)
        grad_q_EGTC = torch.empty_like(q_EGTC)
        grad_k_ETC, grad_v_ETC = _wide_zeros(k_ETC), _wide_zeros(v_ETC)
        for block in _blocks(q_BTHC, ctx.first_key_T):
            q_EXC, grad_EXC = _rows(q_EGTC, block), _rows(grad_EGTC, block)
            weights_EXS = _weights(q_EXC, k_ETC, segment_BT, block)
            _keys(grad_v_ETC, block).add_(torch.bmm(weights_EXS.transpose(1, 2), grad_EXC))
            grad_weights_EXS = torch.bmm(grad_EXC, _keys(v_ETC, block).transpose(1, 2))
            grad_scores_EXS = torch._softmax_backward_data(
                grad_weights_EXS, weights_EXS, -1, weights_EXS.dtype
            )
            _keys(grad_k_ETC, block).add_(torch.bmm(grad_scores_EXS.transpose(1, 2), q_EXC))
            grad_q_EXC = torch.bmm(grad_scores_EXS, _keys(k_ETC, block))
            grad_q_EGTC[:, :, block.start : block.stop] = _ungroup(grad_q_EXC, q_EGTC)
        grad_q_EGTC *= _scale(q_BTHC)
        grad_q_BTHC = _to_tokens(grad_q_EGTC, q_BTHC)
        grad_k_BTKC, grad_v_BTKC = (
            _to_tokens(x[:, None], k_BTKC) for x in (grad_k_ETC, grad_v_ETC)
        )
        return grad_q_BTHC, grad_k_BTKC.to(k_BTKC.dtype), grad_v_BTKC.to(v_BTKC.dtype), None, None


def _weights(
    q_EXC: torch.Tensor, k_ETC: torch.Tensor, segment_BT: torch.Tensor | None, block: _Block
) -> torch.Tensor:
    """Return the attention weights of one block, [E, X, S], where X = G * queries."""
    scores_EXS = torch.bmm(q_EXC, _keys(k_ETC, block).transpose(1, 2))
    n_queries, n_keys = block.stop - block.start, block.stop - block.first_key
    if segment_BT is None:
        hidden_TT = torch.ones(n_queries, n_queries, dtype=torch.bool).triu(1)
        diagonal = scores_EXS.view(-1, n_queries, n_keys)[:, :, n_keys - n_queries :]
        diagonal.masked_fill_(hidden_TT, float("-inf"))
    else:
        hidden_BTS = _hidden(segment_BT, block)
        scores = scores_EXS.view(segment_BT.shape[0], -1, n_queries, n_keys)
        scores.masked_fill_(hidden_BTS[:, None], float("-inf"))
    return torch.softmax(scores_EXS, dim=-1)


def _hidden(segment_BT: torch.Tensor, block: _Block) -> torch.Tensor:
    queries_BT = segment_BT[:, block.start : block.stop]
    keys_BS = segment_BT[:, block.first_key : block.stop]
    n_queries, n_keys = queries_BT.shape[1], keys_BS.shape[1]
    later_TS = torch.ones(n_queries, n_keys, dtype=torch.bool, device=segment_BT.device)
    later_TS = later_TS.triu(1 + n_keys - n_queries)
    return (queries_BT[:, :, None] != keys_BS[:, None, :]) | later_TS


def _blocks(q_BTHC: torch.Tensor, first_key_T: tuple[int, ...] | None) -> list[_Block]:
    n_rows, n_tokens, n_heads, _ = q_BTHC.shape
    affordable = BLOCK_SCORES // (n_rows * n_heads * n_tokens)
    size = min(BLOCK_QUERIES, max(MIN_BLOCK_QUERIES, affordable))
    return [
        _Block(start, min(start + size, n_tokens), first_key_T[start] if first_key_T else 0)
        for start in range(0, n_tokens, size)
    ]


def _by_head(x_BTKC: torch.Tensor) -> torch.Tensor:
    return x_BTKC.transpose(1, 2).flatten(0, 1)


def _by_group(x_BTHC: torch.Tensor, n_kv_heads: int, *, scale: float | None = None) -> torch.Tensor:
    """Return [E, G, T, C], scaled by 1 / sqrt(C) unless told otherwise."""
    n_rows, n_tokens, _, n_channels = x_BTHC.shape
    scaled_BTHC = x_BTHC * _scale(x_BTHC) if scale is None else x_BTHC
    x_BKGTC = scaled_BTHC.transpose(1, 2).reshape(n_rows * n_kv_heads, -1, n_tokens, n_channels)
    return x_BKGTC.contiguous()


def _to_tokens(x_EGTC: torch.Tensor, like_BTHC: torch.Tensor) -> torch.Tensor:
    n_rows, n_tokens, n_heads, n_channels = like_BTHC.shape
    return x_EGTC.reshape(n_rows, n_heads, n_tokens, n_channels).transpose(1, 2)


def _rows(x_EGTC: torch.Tensor, block: _Block) -> torch.Tensor:
    return x_EGTC[:, :, block.start : block.stop].flatten(1, 2)


def _keys(x_ETC: torch.Tensor, block: _Block) -> torch.Tensor:
    return x_ETC[:, block.first_key : block.stop]


def _ungroup(x_EXC: torch.Tensor, like_EGTC: torch.Tensor) -> torch.Tensor:
    n_groups = like_EGTC.shape[1]
    return x_EXC.view(x_EXC.shape[0], n_groups, -1, x_EXC.shape[-1])


def _wide_zeros(x_ETC: torch.Tensor) -> torch.Tensor:
    return torch.zeros_like(x_ETC, dtype=torch.promote_types(x_ETC.dtype, torch.float32))


def _scale(x_BTHC: torch.Tensor) -> float:
    return float(x_BTHC.shape[-1] ** -0.5)
