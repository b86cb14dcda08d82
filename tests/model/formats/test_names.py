"""The table of names: complete, invertible, and of the shapes that the model has."""

import pytest
import torch

from herd.model import Transformer
from herd.model.formats import names
from herd.model.formats.names import expected_shapes, layer_of, to_herd


def test_expected_shapes_are_those_of_the_model_in_its_order(config):
    with torch.device("meta"):
        model = Transformer(config)
    shapes = {name: tuple(weight.shape) for name, weight in model.state_dict().items()}
    assert list(expected_shapes(config).items()) == list(shapes.items())


@pytest.mark.parametrize(
    ("translate", "table"),
    [
        (names.hf_name, names.HF_TO_HERD),
        (names.meta_name, names.META_TO_HERD),
        (names.gguf_name, names.GGUF_TO_HERD),
    ],
)
def test_each_formats_names_translate_there_and_back(config, translate, table):
    for name in expected_shapes(config):
        assert to_herd(translate(name), table) == name


def test_hugging_faces_names_are_those_of_transformers(make_config):
    from transformers import LlamaConfig, LlamaForCausalLM

    with torch.device("meta"):
        theirs = LlamaForCausalLM(LlamaConfig(num_hidden_layers=2, vocab_size=8))
    ours = {names.hf_name(name) for name in expected_shapes(make_config())}
    assert ours == set(theirs.state_dict())


@pytest.mark.parametrize(
    "name",
    [
        "",
        "model.layers.0",
        "model.layers.00.mlp.up_proj.weight",
        "model.layers.-1.mlp.up_proj.weight",
    ]
    + ["model.layers.99999.mlp.up_proj.weight", "model.layers.{i}.mlp.up_proj.weight"]
    + ["model.layers.0.self_attn.q_proj.bias", "x.model.norm.weight"],
)
def test_foreign_names_have_no_translation(name):
    assert to_herd(name, names.HF_TO_HERD) is None


def test_the_layer_is_read_from_the_name():
    assert layer_of("layers.17.attention.q.weight") == 17
    assert layer_of("norm.weight") is None
