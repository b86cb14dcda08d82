"""A tiny random Llama: grouped queries, tied or not, with a small context."""

import pytest

from herd.model import ModelConfig, Transformer, init_weights

TINY = ModelConfig(
    vocab_size=97, dim=32, n_layers=3, n_heads=4, n_kv_heads=2, ffn_dim=48, max_context=600
)


@pytest.fixture(scope="session")
def tiny_model() -> Transformer:
    model = Transformer(TINY)
    init_weights(model, seed=3)
    for parameter in model.parameters():  # wider than at birth, so that tokens differ in likelihood
        parameter.data.mul_(2.0 if parameter.ndim == 2 else 1.0)
    return model.eval().requires_grad_(False)
