"""Counts of parameters and operations against what PyTorch counts."""

from dataclasses import replace

import pytest
import torch
from torch.utils.flop_counter import FlopCounterMode

from herd.model import ModelConfig, Transformer, flops_per_token, init_weights, parameter_count
from herd.ops import attention_plain

CONFIG = ModelConfig(
    vocab_size=50, dim=24, n_layers=3, n_heads=4, n_kv_heads=2, ffn_dim=40, max_context=64
)


@pytest.mark.parametrize(
    "config", [CONFIG, replace(CONFIG, tie_embeddings=True), replace(CONFIG, head_dim=10)]
)
def test_parameter_count_is_that_of_the_module(config):
    module = Transformer(config)
    assert parameter_count(config) == sum(x.numel() for x in module.parameters())


@pytest.mark.parametrize("config", [CONFIG, replace(CONFIG, tie_embeddings=True)])
def test_flops_are_those_that_pytorch_counts_with_plain_attention(config, monkeypatch):
    from herd import ops

    monkeypatch.setattr(ops, "attention", attention_plain)
    model = Transformer(config)
    init_weights(model, seed=0)
    tokens_BT = torch.randint(config.vocab_size, (2, 64))
    with FlopCounterMode(display=False) as counter:
        logits_BTV = model(tokens_BT)
        logits_BTV.sum().backward()
    assert flops_per_token(config, context=64) == counter.get_total_flops() / tokens_BT.numel()
