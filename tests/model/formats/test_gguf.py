"""GGUF files: round trips to the bit, quantised types as the gguf package reads them, lies refused."""

import gguf
import numpy as np
import pytest
import torch

from herd.foundation import UserError, read_gguf
from herd.model import RopeScaling
from herd.model.formats import load_weights, read_config, save_gguf
from herd.model.formats.gguf import BLOCK_TYPES
from herd.model.formats.gguf_config import rope_factors
from herd.tokenizer import load

KIND_OF = {torch.float32: "f32", torch.float16: "f16", torch.bfloat16: "bf16"}


@pytest.fixture
def model(make_config, make_model, byte_level):
    return make_model(make_config(vocab_size=byte_level.vocab_size))


def _rewrite(path, edit_metadata=lambda m: None, edit_tensors=lambda t: None):
    """Write the file again with other keys or tensors, through the gguf package."""
    container = read_gguf(path)
    metadata = dict(container.metadata)
    tensors = {
        name: (container.tensor_bytes(name).copy(), tensor.type, tensor.shape)
        for name, tensor in container.tensors.items()
    }
    edit_metadata(metadata)
    edit_tensors(tensors)
    writer = gguf.GGUFWriter(path, metadata.pop("general.architecture"))
    for key, value in metadata.items():
        if isinstance(value, list):
            writer.add_array(key, value)
        else:
            kinds = {bool: writer.add_bool, int: writer.add_int32, float: writer.add_float32}
            kinds.get(type(value), writer.add_string)(key, value)
    for name, (raw, kind, shape) in tensors.items():
        number = gguf.GGMLQuantizationType[kind]
        writer.add_tensor_info(name, shape, np.dtype(np.float32), raw.nbytes, number)
    writer.write_header_to_file()
    writer.write_kv_data_to_file()
    writer.write_ti_data_to_file()
    for raw, _, _ in tensors.values():
        writer.write_tensor_data(raw)
    writer.close()


@pytest.mark.parametrize("dtype", KIND_OF)
def test_a_round_trip_changes_no_bit(
    tmp_path, config, make_config, make_model, byte_level, assert_same_weights, dtype
):
    from dataclasses import replace

    model = make_model(replace(config, vocab_size=byte_level.vocab_size), dtype)
    save_gguf(model, tmp_path / "x.gguf", tokenizer=byte_level, kind=KIND_OF[dtype])
    assert read_config(tmp_path / "x.gguf") == model.config
    assert_same_weights(model, load_weights(tmp_path / "x.gguf"))


def test_norms_and_rotary_factors_are_float32_and_matrices_are_not(
    tmp_path, make_config, make_model, byte_level
):
    config = make_config(
        vocab_size=byte_level.vocab_size, rope_scaling=RopeScaling(factor=8.0, original_context=32)
    )
    save_gguf(make_model(config), tmp_path / "x.gguf", tokenizer=byte_level, kind="q8_0")
    kinds = {name: t.type for name, t in read_gguf(tmp_path / "x.gguf").tensors.items()}
    assert {kind for name, kind in kinds.items() if "norm" in name} == {"F32"}
    assert kinds["rope_freqs.weight"] == "F32"
    assert kinds["blk.0.attn_q.weight"] == kinds["token_embd.weight"] == "Q8_0"


def test_8_bit_blocks_are_within_half_a_step_of_the_weights(tmp_path, model, byte_level):
    save_gguf(model, tmp_path / "x.gguf", tokenizer=byte_level, kind="q8_0")
    read = load_weights(tmp_path / "x.gguf")
    assert read.config == model.config
    for name, weight in model.state_dict().items():
        other = read.state_dict()[name]
        if weight.dim() == 1:
            assert torch.equal(other, weight)
        else:
            blocks, others = weight.reshape(-1, 32), other.reshape(-1, 32)
            step = blocks.abs().amax(dim=1, keepdim=True) / 127
            # Half a step of rounding, and the scale itself is a float16: 127 * 2^-11 of a step.
            assert ((blocks - others).abs() <= 0.57 * step).all()


def test_rows_that_8_bit_blocks_do_not_divide_stay_float16(
    tmp_path, make_config, make_model, byte_level
):
    model = make_model(make_config(vocab_size=byte_level.vocab_size, ffn_dim=100))
    save_gguf(model, tmp_path / "x.gguf", tokenizer=byte_level, kind="q8_0")
    kinds = {name: t.type for name, t in read_gguf(tmp_path / "x.gguf").tensors.items()}
    assert kinds["blk.0.ffn_down.weight"] == "F16" and kinds["blk.0.ffn_up.weight"] == "Q8_0"
    assert load_weights(tmp_path / "x.gguf").config == model.config


@pytest.mark.parametrize("kind", BLOCK_TYPES)
def test_every_block_type_is_read_as_the_gguf_package_reads_it(
    tmp_path, make_config, make_model, byte_level, kind
):
    model = make_model(make_config(vocab_size=byte_level.vocab_size, dim=256, ffn_dim=256))
    path = tmp_path / "x.gguf"
    save_gguf(model, path, tokenizer=byte_level, kind="f32")
    number = gguf.GGMLQuantizationType[kind]
    block, block_bytes = gguf.GGML_QUANT_SIZES[number]
    rng = np.random.default_rng(0)
    name = "blk.1.ffn_gate.weight"

    def quantize(tensors):
        _, _, shape = tensors[name]
        raw = rng.integers(0, 60, (shape[0], shape[1] // block * block_bytes), dtype=np.uint8)
        tensors[name] = (raw, kind, shape)

    _rewrite(path, edit_tensors=quantize)
    theirs = next(t for t in gguf.GGUFReader(path).tensors if t.name == name)
    expected = gguf.quants.dequantize(theirs.data, theirs.tensor_type)
    read = load_weights(path).state_dict()["layers.1.feed_forward.gate.weight"].numpy()
    assert np.isfinite(expected).all() and len(np.unique(expected)) > 10
    assert np.array_equal(read, expected)


@pytest.mark.parametrize("kind", ["Q8_0", "Q4_0", "Q4_1", "Q5_0", "Q5_1"])
def test_the_blocks_of_the_specification_are_read_as_it_defines_them(kind):
    """An independent reading, one value at a time, of ggml's block_q* structures."""
    number = gguf.GGMLQuantizationType[kind]
    weights = np.random.default_rng(1).standard_normal((1, 32), dtype=np.float32)
    raw = gguf.quants.quantize(weights, number)[0].tobytes()
    scale = float(np.frombuffer(raw[:2], dtype=np.float16)[0])
    minimum, body = 0.0, raw[2:]
    if kind.endswith("_1"):
        minimum, body = float(np.frombuffer(raw[2:4], dtype=np.float16)[0]), raw[4:]
    high_bits = 0
    if kind.startswith("Q5"):
        high_bits, body = int.from_bytes(body[:4], "little"), body[4:]
    values = []
    for i in range(32):
        if kind == "Q8_0":
            quant = int.from_bytes(body[i : i + 1], "little", signed=True)
        else:
            quant = body[i % 16] & 15 if i < 16 else body[i % 16] >> 4
            quant |= (high_bits >> i & 1) << 4
            quant -= {"Q4_0": 8, "Q5_0": 16}.get(kind, 0)
        values.append(scale * quant + minimum)
    read = gguf.quants.dequantize(np.frombuffer(raw, dtype=np.uint8)[None], number)[0]
    np.testing.assert_allclose(read, np.array(values, dtype=np.float32), rtol=1e-6)


def test_llama_31s_scaling_is_recognised_from_its_factors_alone(
    tmp_path, make_config, make_model, byte_level
):
    config = make_config(vocab_size=byte_level.vocab_size, rope_scaling=RopeScaling(factor=32.0))
    path = tmp_path / "x.gguf"
    save_gguf(make_model(config), path, tokenizer=byte_level, kind="f16")

    def forget(metadata):
        for key in [key for key in metadata if key.startswith("herd.")]:
            del metadata[key]

    _rewrite(path, forget)
    assert read_config(path) == config

    def bend(tensors):
        raw, kind, shape = tensors["rope_freqs.weight"]
        raw.view(np.float32)[0] = 3.0
        tensors["rope_freqs.weight"] = (raw, kind, shape)

    _rewrite(path, edit_tensors=bend)
    with pytest.raises(UserError, match="rope_freqs"):
        load_weights(path)


def test_rotary_factors_follow_the_rule_as_llama_cpps_converter_states_it(make_config):
    scaling = RopeScaling(factor=8.0)
    config = make_config(dim=512, n_heads=4, rope_theta=500_000.0, rope_scaling=scaling)
    expected = []
    for i in range(0, 128, 2):
        wavelength = 2 * np.pi * 500_000.0 ** (i / 128)
        if wavelength < 8192 / 4.0:
            expected.append(1.0)
        elif wavelength > 8192 / 1.0:
            expected.append(8.0)
        else:
            smooth = (8192 / wavelength - 1.0) / (4.0 - 1.0)
            expected.append(1 / ((1 - smooth) / 8.0 + smooth))
    torch.testing.assert_close(rope_factors(config), torch.tensor(expected), rtol=1e-5, atol=0)


def test_the_vocabulary_is_inside_and_padded_to_the_models_rows(
    tmp_path, make_config, make_model, byte_level
):
    n_rows = byte_level.vocab_size + 5
    save_gguf(
        make_model(make_config(vocab_size=n_rows)),
        tmp_path / "x.gguf",
        tokenizer=byte_level,
        kind="f16",
    )
    metadata = read_gguf(tmp_path / "x.gguf").metadata
    assert len(metadata["tokenizer.ggml.tokens"]) == n_rows
    assert metadata["tokenizer.ggml.token_type"][-5:] == [5] * 5
    text = "Ein Schaf fri\u00dft 1234 \U0001f40f"
    assert load(tmp_path / "x.gguf").encode(text) == byte_level.encode(text)


def test_a_sentencepiece_vocabulary_survives(tmp_path, make_config, make_model, sentence_piece):
    model = make_model(make_config(vocab_size=sentence_piece.vocab_size))
    save_gguf(model, tmp_path / "x.gguf", tokenizer=sentence_piece, kind="f16")
    text = "Ein Schaf fri\u00dft  1234 \U0001f40f"
    read = load(tmp_path / "x.gguf")
    assert read.encode(text) == sentence_piece.encode(text)
    assert read.bos_id == sentence_piece.bos_id


def test_float16_that_would_overflow_is_a_user_error_and_leaves_nothing(
    tmp_path, model, byte_level
):
    with torch.no_grad():
        model.layers[1].feed_forward.up.weight[0, 0] = 1e5
    with pytest.raises(UserError, match=r"blk\.1\.ffn_up\.weight.*bf16"):
        save_gguf(model, tmp_path / "x.gguf", tokenizer=byte_level, kind="f16")
    assert list(tmp_path.iterdir()) == []
    save_gguf(model, tmp_path / "x.gguf", tokenizer=byte_level, kind="bf16")


def test_an_existing_file_is_kept_unless_told_otherwise(tmp_path, model, byte_level):
    path = tmp_path / "x.gguf"
    path.write_text("GGUF, precious")
    with pytest.raises(UserError, match="already exists"):
        save_gguf(model, path, tokenizer=byte_level, kind="f16")
    assert path.read_text() == "GGUF, precious"
    save_gguf(model, path, tokenizer=byte_level, kind="f16", replace=True)
    assert read_config(path) == model.config


METADATA_LIES = {
    "another architecture": {"general.architecture": "gpt2"},
    "experts": {"llama.expert_count": 8},
    "yarn": {"llama.rope.scaling.type": "yarn"},
    "split": {"split.count": 3},
    "a billion layers": {"llama.block_count": 10**9},
    "one layer less": {"llama.block_count": 1},
    "width as text": {"llama.embedding_length": "64"},
    "another width": {"llama.embedding_length": 128},
    "heads zero": {"llama.attention.head_count": 0},
    "heads by layer": {"llama.attention.head_count_kv": [4, 4]},
    "half the channels": {"llama.rope.dimension_count": 8},
    "epsilon nan": {"llama.attention.layer_norm_rms_epsilon": float("nan")},
}


@pytest.mark.parametrize("changes", METADATA_LIES.values(), ids=METADATA_LIES.keys())
def test_metadata_that_lies_is_a_user_error_naming_the_file(tmp_path, model, byte_level, changes):
    path = tmp_path / "x.gguf"
    save_gguf(model, path, tokenizer=byte_level, kind="f16")
    _rewrite(path, lambda metadata: metadata.update(changes))
    with pytest.raises(UserError) as caught:
        load_weights(path)
    assert str(path) in str(caught.value) and "\n" not in str(caught.value)


TENSOR_LIES = {
    "missing": lambda t: t.pop("blk.1.ffn_norm.weight"),
    "bias": lambda t: t.update({"blk.0.attn_q.bias": (np.zeros(64, np.float32), "F32", (64,))}),
    "no embedding": lambda t: t.pop("token_embd.weight"),
    "shape": lambda t: t.update({"output_norm.weight": (np.zeros(65, np.float32), "F32", (65,))}),
    "type": lambda t: t.update({"output_norm.weight": (np.zeros(64, np.int32), "I32", (64,))}),
}


@pytest.mark.parametrize("edit", TENSOR_LIES.values(), ids=TENSOR_LIES.keys())
def test_tensors_that_do_not_fit_are_a_user_error_naming_the_file(
    tmp_path, model, byte_level, edit
):
    path = tmp_path / "x.gguf"
    save_gguf(model, path, tokenizer=byte_level, kind="f16")
    _rewrite(path, edit_tensors=edit)
    with pytest.raises(UserError, match=str(path)):
        load_weights(path)
