"""Quantised directories: round trips to the bit, names that other software knows, lies refused."""

import json
import math

import pytest
import torch
from safetensors.torch import load_file, save_file

from herd.foundation import UserError
from herd.model import quantize_model, quantized_linears
from herd.model.formats import load_weights, read_config, save_gguf, save_hf, save_meta

SCHEMES = ("int8", "fp8_ffn", "fp8_all")
PACKED = "model.layers.1.mlp.up_proj.weight_packed"
SCALE = "model.layers.1.mlp.up_proj.weight_scale"
SHAPE = "model.layers.1.mlp.up_proj.weight_shape"


def _quantized(make_config, make_model, scheme, dtype=torch.float32, **changes):
    model = make_model(make_config(n_layers=4, **changes), dtype)
    quantize_model(model, scheme)
    return model


@pytest.fixture
def saved(tmp_path, make_config, make_model):
    def save(scheme):
        save_hf(_quantized(make_config, make_model, scheme), tmp_path / "model")
        return tmp_path / "model"

    return save


@pytest.mark.parametrize("scheme", SCHEMES)
@pytest.mark.parametrize("tied", [False, True])
@pytest.mark.parametrize("dtype", [torch.float32, torch.bfloat16])
@pytest.mark.parametrize("max_shard_bytes", [10**9, 20_000])
def test_a_round_trip_changes_no_bit(
    tmp_path, make_config, make_model, scheme, tied, dtype, max_shard_bytes
):
    model = _quantized(make_config, make_model, scheme, dtype, tie_embeddings=tied)
    save_hf(model, tmp_path / "model", max_shard_bytes=max_shard_bytes)
    assert read_config(tmp_path / "model") == model.config
    read = load_weights(tmp_path / "model")
    assert set(quantized_linears(read)) == set(quantized_linears(model))
    _assert_same_state(read, model)
    tokens = torch.arange(12)[None]
    assert torch.equal(read(tokens), model(tokens))


@pytest.mark.parametrize("scheme", SCHEMES)
@pytest.mark.parametrize("tied", [False, True])
def test_quantising_while_reading_equals_quantising_what_was_read(
    tmp_path, make_config, make_model, scheme, tied
):
    model = make_model(make_config(n_layers=4, tie_embeddings=tied))
    save_hf(model, tmp_path / "model")
    read = load_weights(tmp_path / "model", scheme=scheme)
    quantize_model(model, scheme)
    _assert_same_state(read, model)


def test_integers_of_a_gguf_file_are_taken_as_they_are(
    tmp_path, make_config, make_model, byte_level
):
    """Q8_0 means the same numbers, and quantising what was quantised changes nothing."""
    model = make_model(make_config(vocab_size=byte_level.vocab_size, n_layers=4))
    save_gguf(model, tmp_path / "q8.gguf", tokenizer=byte_level, kind="q8_0")
    plain = load_weights(tmp_path / "q8.gguf")
    read = load_weights(tmp_path / "q8.gguf", scheme="int8")
    for name, linear in quantized_linears(read).items():
        assert torch.equal(linear.dequantized(), plain.get_submodule(name).weight), name


def test_the_papers_scheme_is_written_as_fbgemm_with_the_names_transformers_uses(saved):
    directory = saved("fp8_ffn")
    section = json.loads((directory / "config.json").read_text())["quantization_config"]
    assert section["quant_method"] == "fbgemm_fp8" and section["activation_scale_ub"] == 1200.0
    left_alone = section["modules_to_not_convert"]
    assert "lm_head" in left_alone and "model.layers.0.mlp.up_proj" in left_alone
    assert "model.layers.1.self_attn.q_proj" in left_alone
    assert not any(name.startswith("model.layers.1.mlp") for name in left_alone)
    tensors = load_file(directory / "model.safetensors")
    assert tensors["model.layers.1.mlp.up_proj.weight"].dtype == torch.float8_e4m3fn
    scale = tensors["model.layers.1.mlp.up_proj.weight_scale"]
    assert scale.dtype == torch.float32 and scale.shape == (96, 1)
    assert tensors["model.layers.0.mlp.up_proj.weight"].dtype == torch.float32


def test_transformers_takes_the_fbgemm_section_and_skips_the_modules_it_names(saved):
    from transformers import AutoConfig, FbgemmFp8Config
    from transformers.quantizers.quantizers_utils import should_convert_module

    config = AutoConfig.from_pretrained(saved("fp8_ffn"))
    theirs = FbgemmFp8Config.from_dict(config.quantization_config)
    assert theirs.activation_scale_ub == 1200.0
    for layer in range(4):
        for name in ("mlp.gate_proj", "mlp.down_proj", "self_attn.o_proj"):
            converted = should_convert_module(
                f"model.layers.{layer}.{name}", theirs.modules_to_not_convert
            )
            assert converted == (layer in (1, 2) and "mlp" in name)
    assert not should_convert_module("lm_head", theirs.modules_to_not_convert)


@pytest.mark.parametrize("tied", [False, True])
def test_what_we_save_computes_the_same_in_transformers_with_compressed_tensors(
    tmp_path, make_config, make_model, tied
):
    pytest.importorskip("compressed_tensors")
    from transformers import AutoModelForCausalLM

    model = _quantized(make_config, make_model, "int8", tie_embeddings=tied)
    save_hf(model, tmp_path / "model")
    theirs = AutoModelForCausalLM.from_pretrained(tmp_path / "model")
    for linear in quantized_linears(model).values():  # they do not round activations
        linear.forward = _weights_only(linear)
    if tied:
        del model.output
    tokens = torch.randint(0, 96, (2, 20))
    with torch.no_grad():
        torch.testing.assert_close(theirs(tokens).logits, model(tokens), rtol=1e-4, atol=1e-5)


def test_integers_are_packed_four_to_a_word_with_an_offset(make_config, make_model, tmp_path):
    model = _quantized(make_config, make_model, "int8")
    save_hf(model, tmp_path / "model")
    tensors = load_file(tmp_path / "model" / "model.safetensors")
    q = model.layers[1].feed_forward.up.weight_q_NK
    words = tensors[PACKED].long() & 0xFFFFFFFF
    unpacked = torch.stack([(words >> 8 * place & 0xFF) - 128 for place in range(4)], dim=-1)
    assert torch.equal(unpacked.flatten(1), q.long())
    shape = tensors["model.layers.1.mlp.up_proj.weight_shape"]
    assert shape.tolist() == list(q.shape) and shape.dtype == torch.int64
    assert torch.equal(tensors[SCALE], model.layers[1].feed_forward.up.scale_NG)


def test_int8_rows_that_no_group_divides_are_refused(tmp_path, make_config, make_model):
    model = _quantized(make_config, make_model, "int8", ffn_dim=80)
    with pytest.raises(UserError, match=r"down has 80 inputs, no multiple of 32"):
        save_hf(model, tmp_path / "model")
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize("scheme", SCHEMES)
def test_other_formats_refuse_a_quantised_model(
    tmp_path, make_config, make_model, byte_level, scheme
):
    model = _quantized(make_config, make_model, scheme, vocab_size=byte_level.vocab_size)
    with pytest.raises(UserError, match="already"):
        save_meta(model, tmp_path / "meta")
    with pytest.raises(UserError, match="already"):
        save_gguf(model, tmp_path / "x.gguf", tokenizer=byte_level, kind="q8_0")
    assert list(tmp_path.iterdir()) == []


def test_a_quantised_directory_is_not_quantised_again(saved):
    directory = saved("int8")
    _assert_same_state(load_weights(directory, scheme="int8"), load_weights(directory))
    with pytest.raises(UserError, match="already, not as fp8_all"):
        load_weights(directory, scheme="fp8_all")


def test_a_directory_of_somebody_else_leaves_a_tied_head_alone(tmp_path, make_config, make_model):
    model = _quantized(make_config, make_model, "int8", tie_embeddings=True)
    save_hf(model, tmp_path / "model")
    _edit_config(tmp_path / "model", lambda values: values.pop("herd_quantization"))
    read = load_weights(tmp_path / "model")
    assert set(quantized_linears(model)) - set(quantized_linears(read)) == {"output"}


CONFIG_LIES = {
    "another method": (lambda s: s.update(quant_method="gptq"), "quant_method.*gptq"),
    "no method": (lambda s: s.pop("quant_method"), "quant_method"),
    "method no text": (lambda s: s.update(quant_method=8), "quant_method"),
    "another format": (lambda s: s.update(format="marlin-24"), "format"),
    "four bits": (lambda s: _weights(s).update(num_bits=4), "num_bits.*8-bit integers"),
    "larger groups": (lambda s: _weights(s).update(group_size=128), "group_size"),
    "not symmetric": (lambda s: _weights(s).update(symmetric=False), "symmetric"),
    "reordered": (lambda s: _weights(s).update(actorder="group"), "actorder"),
    "quantised activations": (
        lambda s: s["config_groups"]["group_0"].update(input_activations={"num_bits": 8}),
        "input_activations",
    ),
    "two groups": (lambda s: s["config_groups"].update(group_1={}), "one group"),
    "no groups": (lambda s: s.update(config_groups=None), "one group"),
    "groups as text": (lambda s: s.update(config_groups="all"), "object"),
    "rotated": (lambda s: s.update(transform_config={"R1": {}}), "transform_config"),
    "quantised cache": (lambda s: s.update(kv_cache_scheme={"num_bits": 8}), "kv_cache_scheme"),
}


@pytest.mark.parametrize(("lie", "named"), CONFIG_LIES.values(), ids=CONFIG_LIES.keys())
def test_a_quantisation_that_herd_would_compute_differently_is_refused_by_name(saved, lie, named):
    directory = saved("int8")
    _edit_config(directory, lambda values: lie(values["quantization_config"]))
    for read in (load_weights, read_config):
        with pytest.raises(UserError, match=named) as caught:
            read(directory)
        assert str(directory) in str(caught.value) and "\n" not in str(caught.value)


WEIGHT_LIES = {
    "no scales": (lambda t: t.pop(SCALE), f"lack {SCALE}"),
    "no integers": (lambda t: t.pop(PACKED), f"lack {PACKED}"),
    "scales of another shape": (lambda t: t.update({SCALE: t[SCALE][:, :1].clone()}), SCALE),
    "scales as integers": (lambda t: t.update({SCALE: t[SCALE].int()}), "scales in torch.int32"),
    "another shape said": (
        lambda t: t.update({SHAPE: t[SHAPE] * 2}),
        f"{SHAPE} does not say",
    ),
    "a shape of three numbers": (lambda t: t.update({SHAPE: t[SHAPE].repeat(2)}), "does not say"),
    "scales beyond float16": (lambda t: t.update({SCALE: t[SCALE].float() / 3}), "float16"),
    "scales not a number": (
        lambda t: t.update({SCALE: torch.full_like(t[SCALE], math.nan)}),
        "no numbers from 0 up",
    ),
    "infinite scales": (
        lambda t: t.update({SCALE: torch.full_like(t[SCALE], math.inf)}),
        "no numbers from 0 up",
    ),
    "scales below 0": (lambda t: t.update({SCALE: -t[SCALE]}), "no numbers from 0 up"),
    "integers not packed": (lambda t: t.update({PACKED: t[PACKED].long()}), "not a matrix"),
    "integers in a row": (lambda t: t.update({PACKED: t[PACKED].flatten()}), "not a matrix"),
    "another model": (
        lambda t: t.update(
            {
                PACKED: t[PACKED][:-1].clone(),
                SCALE: t[SCALE][:-1].clone(),
                SHAPE: t[SHAPE] - torch.tensor([1, 0]),
            }
        ),
        "configuration asks for",
    ),
    "the plain matrix beside it": (
        lambda t: t.update({PACKED.replace("_packed", ""): torch.zeros(2, 2)}),
        "quantised and plain",
    ),
    "a quantised embedding": (
        lambda t: t.update({"model.embed_tokens.weight_packed": t[PACKED].clone()}),
        "not part of a Llama",
    ),
    "zero points": (
        lambda t: t.update({f"{PACKED.removesuffix('packed')}zero_point": t[PACKED].clone()}),
        "not part of a Llama",
    ),
}


@pytest.mark.parametrize(("lie", "named"), WEIGHT_LIES.values(), ids=WEIGHT_LIES.keys())
def test_quantised_weights_that_do_not_fit_are_refused_by_name(saved, lie, named):
    directory = saved("int8")
    path = directory / "model.safetensors"
    tensors = load_file(path)
    lie(tensors)
    save_file(tensors, path)
    with pytest.raises(UserError, match=named) as caught:
        load_weights(directory)
    assert str(directory) in str(caught.value) and "\n" not in str(caught.value)


@pytest.mark.parametrize(
    ("scheme", "edit", "named"),
    [
        ("fp8_ffn", {"herd_quantization": "int8"}, "herd_quantization is not fp8_ffn or fp8_all"),
        ("int8", {"herd_quantization": ["int8"]}, "herd_quantization is not int8"),
        ("fp8_ffn", {"herd_quantization": "fp8_all"}, "says it is quantised as fp8_all"),
        ("fp8_all", {"herd_quantization": "fp8_ffn"}, "says it is quantised as fp8_ffn"),
    ],
)
def test_a_scheme_that_the_weights_contradict_is_refused(saved, scheme, edit, named):
    directory = saved(scheme)
    _edit_config(directory, lambda values: values.update(edit))
    with pytest.raises(UserError, match=named) as caught:
        load_weights(directory)
    assert str(directory) in str(caught.value) and "\n" not in str(caught.value)


@pytest.mark.parametrize("bound", [0, -1200.0])
def test_an_upper_bound_that_leaves_no_activation_is_refused(saved, bound):
    directory = saved("fp8_ffn")
    _edit_config(directory, lambda v: v["quantization_config"].update(activation_scale_ub=bound))
    with pytest.raises(UserError, match="activation_scale_ub is not above 0"):
        load_weights(directory)


def test_8_bit_floats_without_a_word_in_the_config_are_refused(saved):
    directory = saved("fp8_ffn")
    _edit_config(directory, lambda values: values.pop("quantization_config"))
    with pytest.raises(UserError, match=r"weight_scale"):
        load_weights(directory)


def _weights_only(linear):
    return lambda x: x @ linear.dequantized().T


def _weights(section):
    return section["config_groups"]["group_0"]["weights"]


def _edit_config(directory, edit):
    path = directory / "config.json"
    values = json.loads(path.read_text())
    edit(values)
    path.write_text(json.dumps(values))


def _assert_same_state(ours, other):
    expected, actual = ours.state_dict(), other.state_dict()
    assert expected.keys() == actual.keys()
    for name, tensor in expected.items():
        assert actual[name].dtype == tensor.dtype, name
        assert torch.equal(actual[name].view(torch.uint8), tensor.view(torch.uint8)), name
