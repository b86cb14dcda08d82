"""What a model config accepts, and what it says about the rest."""

from dataclasses import replace

import pytest

from herd.foundation import UserError, from_dict, to_dict
from herd.model import ModelConfig, RopeScaling, ffn_width

GOOD = ModelConfig(
    vocab_size=100, dim=24, n_layers=2, n_heads=4, n_kv_heads=2, ffn_dim=64, max_context=32
)


@pytest.mark.parametrize(
    ("field", "value"),
    [
        ("vocab_size", 0),
        ("dim", -8),
        ("n_layers", 0),
        ("n_heads", 0),
        ("n_kv_heads", 3),
        ("ffn_dim", 0),
        ("head_dim", 5),
        ("head_dim", -2),
        ("norm_eps", 0.0),
        ("rope_theta", 1.0),
        ("max_context", 0),
    ],
)
def test_senseless_numbers_are_refused_with_their_field_and_value(field, value):
    with pytest.raises(UserError, match=rf"{field} is {value}"):
        replace(GOOD, **{field: value})


def test_heads_that_do_not_divide_the_width_need_a_head_size():
    with pytest.raises(UserError, match="n_heads is 5"):
        replace(GOOD, head_dim=0, n_heads=5, n_kv_heads=5)
    assert replace(GOOD, head_dim=6, n_heads=5, n_kv_heads=5).head_dim == 6


def test_head_size_is_derived():
    assert GOOD.head_dim == 6


@pytest.mark.parametrize("scaling", [None, RopeScaling(factor=8.0)])
def test_config_survives_json(scaling):
    config = replace(GOOD, rope_scaling=scaling, tie_embeddings=True)
    assert from_dict(ModelConfig, to_dict(config)) == config


@pytest.mark.parametrize(
    ("dim", "multiplier", "multiple_of", "width"),
    [
        (2048, 1.5, 256, 8192),
        (3072, 1.0, 256, 8192),
        (4096, 1.3, 1024, 14336),
        (8192, 1.3, 4096, 28672),
        (16384, 1.2, 4096, 53248),
        (4096, 1.0, 256, 11008),
        (5120, 1.0, 256, 13824),
    ],
)
def test_metas_rule_yields_every_published_width(dim, multiplier, multiple_of, width):
    assert ffn_width(dim, multiplier=multiplier, multiple_of=multiple_of) == width
