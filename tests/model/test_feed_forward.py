"""SwiGLU against its formula."""

import torch

from herd.model.config import ModelConfig
from herd.model.feed_forward import FeedForward

CONFIG = ModelConfig(
    vocab_size=9, dim=6, n_layers=1, n_heads=1, n_kv_heads=1, ffn_dim=7, max_context=4
)


def test_feed_forward_is_down_of_silu_gate_times_up():
    torch.manual_seed(0)
    layer, x_BTD = FeedForward(CONFIG), torch.randn(2, 3, 6)
    gate, up = x_BTD @ layer.gate.weight.T, x_BTD @ layer.up.weight.T
    expected = (gate / (1 + torch.exp(-gate)) * up) @ layer.down.weight.T
    torch.testing.assert_close(layer(x_BTD), expected)


def test_tokens_do_not_see_one_another():
    torch.manual_seed(0)
    layer, x_BTD = FeedForward(CONFIG), torch.randn(1, 5, 6)
    torch.testing.assert_close(layer(x_BTD)[:, 2:3], layer(x_BTD[:, 2:3]))
