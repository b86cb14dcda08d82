"""A small Llama of four layers, so that two lie between the first and the last."""

import pytest
import torch

from herd.model import ModelConfig, Transformer, init_weights


def _config(**changes):
    values = {
        "vocab_size": 96,
        "dim": 64,
        "n_layers": 4,
        "n_heads": 4,
        "n_kv_heads": 2,
        "ffn_dim": 96,
        "max_context": 64,
    }
    return ModelConfig(**(values | changes))


def _model(config, dtype=torch.float32):
    model = Transformer(config)
    init_weights(model, seed=1)
    return model.to(dtype)


@pytest.fixture(scope="session")
def make_config():
    return _config


@pytest.fixture(scope="session")
def make_model():
    return _model


@pytest.fixture
def tokens_BT():
    return torch.randint(0, 96, (2, 24), generator=torch.Generator().manual_seed(3))
