import pytest
import torch

from herd.ops.attention import attention_plain
from herd.ops.blocked_attention import blocked_attention

SHAPES = [  # rows, tokens, query heads, key-value heads, channels
    (1, 1, 1, 1, 4),
    (2, 33, 4, 2, 8),
    (1, 129, 6, 3, 16),
    (1, 300, 2, 1, 8),
]


def inputs(shape: tuple[int, ...]) -> tuple[torch.Tensor, torch.Tensor, torch.Tensor]:
    n_rows, n_tokens, n_heads, n_kv_heads, n_channels = shape
    rng = torch.Generator().manual_seed(n_tokens)

    def make(heads: int) -> torch.Tensor:
        x = torch.randn(n_rows, n_tokens, heads, n_channels, generator=rng, dtype=torch.float64)
        return x.requires_grad_()

    return make(n_heads), make(n_kv_heads), make(n_kv_heads)


def segments(shape: tuple[int, ...]) -> torch.Tensor:
    n_rows, n_tokens = shape[:2]
    return (torch.arange(n_tokens) // 37).expand(n_rows, -1).contiguous()


@pytest.mark.parametrize("shape", SHAPES)
@pytest.mark.parametrize("documents", [False, True])
def test_values_and_gradients_equal_the_plain_version(
    shape: tuple[int, ...], documents: bool
) -> None:
    q, k, v = inputs(shape)
    segment_BT = segments(shape) if documents else None
    out = blocked_attention(q, k, v, segment_BT)
    weight = torch.randn_like(out)
    ours = torch.autograd.grad((out * weight).sum(), (q, k, v))
    expected = attention_plain(q, k, v, segment_BT)
    theirs = torch.autograd.grad((expected.double() * weight).sum(), (q, k, v))
    torch.testing.assert_close(out, expected.double(), atol=1e-5, rtol=1e-5)
    for our, their in zip(ours, theirs, strict=True):
        torch.testing.assert_close(our, their, atol=1e-4, rtol=1e-4)


def test_a_later_token_changes_nothing_before_it() -> None:
    q, k, v = (x.detach() for x in inputs((1, 300, 2, 1, 8)))
    before = blocked_attention(q, k, v)
    for x in (q, k, v):
        x[:, 200:] += 1.0
    after = blocked_attention(q, k, v)
    assert torch.equal(before[:, :200], after[:, :200])
    assert not torch.allclose(before[:, 200:], after[:, 200:])


def test_another_document_changes_nothing_in_this_one() -> None:
    shape = (1, 129, 6, 3, 16)
    q, k, v = (x.detach() for x in inputs(shape))
    segment_BT = segments(shape)
    before = blocked_attention(q, k, v, segment_BT)
    for x in (k, v):
        x[:, :37] *= 2.0
    after = blocked_attention(q, k, v, segment_BT)
    assert torch.equal(before[:, 37:], after[:, 37:])
