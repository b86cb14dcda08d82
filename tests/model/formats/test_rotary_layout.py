"""Half-split and interleaved rows: inverse of each other, and Meta's rotation equals ours."""

import pytest
import torch

from herd.model.formats.rotary_layout import is_rotated, to_half_split, to_interleaved
from herd.ops import apply_rope, rope_angles, rope_frequencies


@pytest.mark.parametrize("head_dim", [2, 6, 16])
@pytest.mark.parametrize("n_heads", [1, 3])
def test_there_and_back_is_the_identity(head_dim, n_heads):
    weight = torch.randn(n_heads * head_dim, 5)
    assert torch.equal(to_half_split(to_interleaved(weight, head_dim), head_dim), weight)
    assert torch.equal(to_interleaved(to_half_split(weight, head_dim), head_dim), weight)


def test_two_channels_that_turn_together_become_neighbours():
    rows = torch.arange(8.0)[:, None]
    assert to_interleaved(rows, 8)[:, 0].tolist() == [0, 4, 1, 5, 2, 6, 3, 7]
    assert to_interleaved(rows, 4)[:, 0].tolist() == [0, 2, 1, 3, 4, 6, 5, 7]


def test_reordered_queries_under_metas_complex_rotation_give_our_scores():
    head_dim, width, n_tokens = 8, 12, 7
    generator = torch.Generator().manual_seed(0)
    x_BTD = torch.randn(1, n_tokens, width, generator=generator)
    q, k = (torch.randn(head_dim, width, generator=generator) for _ in range(2))
    frequencies = rope_frequencies(head_dim, 10_000.0)
    cos, sin = rope_angles(torch.arange(n_tokens)[None], frequencies)

    def rotated_as_meta_does(weight):
        pairs = (x_BTD @ to_interleaved(weight, head_dim).T).unflatten(-1, (-1, 2))
        turn = torch.polar(torch.ones(n_tokens, 4), torch.arange(n_tokens)[:, None] * frequencies)
        return torch.view_as_real(torch.view_as_complex(pairs.contiguous()) * turn).flatten(-2)

    meta_scores = rotated_as_meta_does(q) @ rotated_as_meta_does(k).mT
    ours = [apply_rope((x_BTD @ weight.T)[:, :, None], cos, sin)[:, :, 0] for weight in (q, k)]
    torch.testing.assert_close(ours[0] @ ours[1].mT, meta_scores)


def test_only_queries_and_keys_are_reordered():
    names = [f"layers.3.attention.{part}.weight" for part in "qkvo"] + ["norm.weight"]
    assert [is_rotated(name) for name in names] == [True, True, False, False, False]
