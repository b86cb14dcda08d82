"""Attention by every path against the plain one; causality; documents."""

import pytest
import torch

from herd.ops import attention, attention_plain, documents_of, segment_starts

# (rows, tokens, query heads, kv heads, channels); 300 tokens make three blocks.
SHAPES = [(2, 7, 4, 4, 8), (1, 1, 2, 1, 4), (2, 300, 6, 2, 8), (1, 257, 3, 1, 10)]


@pytest.mark.parametrize("shape", SHAPES)
@pytest.mark.parametrize("with_segments", [False, True])
def test_fast_attention_equals_plain_attention_in_values_and_gradients(shape, with_segments):
    q, k, v = _qkv(shape)
    segment_BT = _segments(shape[0], shape[1]) if with_segments else None
    weighting = torch.randn_like(q)
    fast = _with_gradients(
        lambda *qkv: attention(*qkv, documents_of(segment_BT)), q, k, v, weighting
    )
    plain = _with_gradients(lambda *qkv: attention_plain(*qkv, segment_BT), q, k, v, weighting)
    for ours, theirs in zip(fast, plain, strict=True):
        torch.testing.assert_close(ours, theirs, rtol=1e-5, atol=1e-5)


@pytest.mark.parametrize(("n_queries", "n_keys"), [(1, 9), (4, 9), (9, 9)])
def test_queries_of_a_cache_sit_at_the_end_of_the_keys(n_queries, n_keys):
    q, k, v = _qkv((2, n_keys, 4, 2, 8))
    whole = attention_plain(q, k, v)
    for function in (attention, attention_plain):
        last = function(q[:, -n_queries:], k, v)
        torch.testing.assert_close(last, whole[:, -n_queries:], rtol=1e-5, atol=1e-5)


def test_gradient_of_attention_agrees_with_finite_differences():
    q, k, v = (x.double().requires_grad_() for x in _qkv((2, 5, 2, 1, 2)))
    documents = documents_of(torch.tensor([[0, 0, 1, 1, 1], [0, 1, 1, 1, 2]]))
    assert torch.autograd.gradcheck(lambda *qkv: attention(*qkv, documents), (q, k, v))


def test_plain_attention_equals_a_loop_over_queries():
    q, k, v = _qkv((1, 5, 2, 1, 4))
    segment_BT = torch.tensor([[3, 3, 1, 1, 1]])
    out = attention_plain(q, k, v, segment_BT)
    for t, head in ((t, head) for t in range(5) for head in range(2)):
        visible = [s for s in range(t + 1) if segment_BT[0, s] == segment_BT[0, t]]
        scores = torch.stack([q[0, t, head] @ k[0, s, 0] / 2.0 for s in visible])
        expected = scores.softmax(0) @ v[0, visible, 0]
        torch.testing.assert_close(out[0, t, head], expected)


@pytest.mark.parametrize("with_segments", [False, True])
def test_attention_is_causal(with_segments):
    q, k, v = _qkv((2, 140, 2, 2, 4))
    documents = documents_of(_segments(2, 140) if with_segments else None)
    before = attention(q, k, v, documents)
    k[:, 70:], v[:, 70:] = 9.0, -9.0
    after = attention(q, k, v, documents)
    assert torch.equal(before[:, :70], after[:, :70])
    assert not torch.allclose(before[:, 70:], after[:, 70:])


def test_bfloat16_attention_is_as_near_to_float32_as_its_rounding_allows():
    q, k, v = _qkv((2, 300, 4, 2, 64))
    exact = attention_plain(q, k, v)
    rounded = attention(*(x.bfloat16() for x in (q, k, v)))
    assert rounded.dtype == torch.bfloat16
    assert (rounded.float() - exact).norm() / exact.norm() < 0.01


def test_one_document_a_row_needs_no_mask():
    assert documents_of(None) is None
    assert documents_of(torch.tensor([[0, 0, 0], [4, 4, 4]])) is None
    assert documents_of(torch.tensor([[0, 0, 1], [4, 4, 4]])) is not None


def test_segment_starts_count_from_each_change():
    segment_BT = torch.tensor([[5, 5, 2, 2, 2], [1, 1, 1, 1, 1]])
    assert segment_starts(segment_BT).tolist() == [[0, 0, 2, 2, 2], [0, 0, 0, 0, 0]]


def test_memory_of_scores_is_bounded_in_long_sequences(monkeypatch):
    from herd.ops import blocked_attention as module

    monkeypatch.setattr(module, "BLOCK_SCORES", 2 * 4 * 300 * 20)
    q, k, v = _qkv((2, 300, 4, 2, 8))
    blocks = module._blocks(q, None)
    assert {block.stop - block.start for block in blocks} == {20}
    torch.testing.assert_close(attention(q, k, v), attention_plain(q, k, v), rtol=1e-5, atol=1e-5)


@pytest.mark.gpu
@pytest.mark.parametrize("with_segments", [False, True])
def test_attention_on_a_gpu_equals_plain_attention(with_segments):
    q, k, v = (x.cuda() for x in _qkv((2, 256, 4, 2, 64)))
    segment_BT = _segments(2, 256).cuda() if with_segments else None
    weighting = torch.randn_like(q)
    fast = _with_gradients(
        lambda *qkv: attention(*qkv, documents_of(segment_BT)), q, k, v, weighting
    )
    plain = _with_gradients(lambda *qkv: attention_plain(*qkv, segment_BT), q, k, v, weighting)
    for ours, theirs in zip(fast, plain, strict=True):
        torch.testing.assert_close(ours, theirs, rtol=5e-3, atol=5e-3)


def _qkv(shape):
    torch.manual_seed(0)
    n_rows, n_tokens, n_heads, n_kv_heads, n_channels = shape
    sizes = (n_heads, n_kv_heads, n_kv_heads)
    return tuple(torch.randn(n_rows, n_tokens, heads, n_channels) for heads in sizes)


def _segments(n_rows, n_tokens):
    """Documents of random lengths; rows differ, and ids do not grow."""
    generator = torch.Generator().manual_seed(1)
    begins = torch.rand(n_rows, n_tokens, generator=generator) < 0.03
    return 1000 - begins.cumsum(1)


def _with_gradients(function, q, k, v, weighting):
    leaves = [x.clone().requires_grad_() for x in (q, k, v)]
    out = function(*leaves)
    return [out.detach(), *torch.autograd.grad((out * weighting).sum(), leaves)]
