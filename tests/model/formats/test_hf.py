"""The Hugging Face directory: round trips to the bit, opens in transformers, refuses what lies."""

import json
from dataclasses import replace

import pytest
import torch
from safetensors.torch import load_file, save_file
from transformers import AutoModelForCausalLM, AutoTokenizer

from herd.foundation import UserError
from herd.model import RopeScaling
from herd.model.formats import load_weights, read_config, save_hf

DTYPES = (torch.float32, torch.bfloat16, torch.float16)


def _edit_config(directory, **changes):
    path = directory / "config.json"
    values = json.loads(path.read_text()) | changes
    path.write_text(json.dumps({key: value for key, value in values.items() if value != "absent"}))


def _edit_weights(directory, edit):
    path = directory / "model.safetensors"
    tensors = load_file(path)
    edit(tensors)
    save_file(tensors, path)


@pytest.fixture
def saved(tmp_path, make_config, make_model):
    model = make_model(make_config())
    save_hf(model, tmp_path / "model")
    return tmp_path / "model"


@pytest.mark.parametrize("dtype", DTYPES)
def test_a_round_trip_changes_no_bit(tmp_path, config, make_model, assert_same_weights, dtype):
    model = make_model(config, dtype)
    save_hf(model, tmp_path / "model")
    assert read_config(tmp_path / "model") == config
    assert_same_weights(model, load_weights(tmp_path / "model"))


@pytest.mark.parametrize("max_shard_bytes", [1, 20_000, 60_000])
def test_shards_hold_the_same_model(
    tmp_path, make_config, make_model, assert_same_weights, max_shard_bytes
):
    model = make_model(make_config())
    written = []
    save_hf(model, tmp_path / "model", max_shard_bytes=max_shard_bytes, advance=written.append)
    index = json.loads((tmp_path / "model" / "model.safetensors.index.json").read_text())
    shards = sorted(path.name for path in (tmp_path / "model").glob("*.safetensors"))
    assert sorted(set(index["weight_map"].values())) == shards and len(shards) > 1
    total_bytes = sum(weight.nbytes for weight in model.state_dict().values())
    assert index["metadata"]["total_size"] == sum(written) == total_bytes
    assert_same_weights(model, load_weights(tmp_path / "model"))
    theirs = AutoModelForCausalLM.from_pretrained(tmp_path / "model").state_dict()
    assert torch.equal(theirs["model.norm.weight"], model.norm.weight)


def test_what_we_save_computes_the_same_in_transformers(tmp_path, config, make_model):
    model = make_model(config)
    save_hf(model, tmp_path / "model", max_shard_bytes=40_000)
    theirs = AutoModelForCausalLM.from_pretrained(tmp_path / "model")
    tokens = torch.randint(0, config.vocab_size, (2, 50))
    with torch.no_grad():
        difference = (theirs(tokens).logits - model(tokens)).abs().max().item()
    assert difference <= 1e-5


@pytest.mark.parametrize("scaled", [False, True])
def test_what_transformers_saves_computes_the_same_here(tmp_path, scaled):
    from transformers import LlamaConfig, LlamaForCausalLM

    rope = {"rope_type": "default", "rope_theta": 1e4}
    if scaled:
        rope = {
            "rope_type": "llama3",
            "rope_theta": 5e5,
            "factor": 4.0,
            "low_freq_factor": 1.0,
            "high_freq_factor": 4.0,
            "original_max_position_embeddings": 32,
        }
    theirs = LlamaForCausalLM(
        LlamaConfig(
            vocab_size=50,
            hidden_size=48,
            intermediate_size=80,
            num_hidden_layers=2,
            num_attention_heads=4,
            num_key_value_heads=2,
            max_position_embeddings=128,
            tie_word_embeddings=scaled,
            rope_parameters=rope,
        )
    )
    theirs.save_pretrained(tmp_path / "model", max_shard_size="30KB")
    ours = load_weights(tmp_path / "model")
    assert (ours.config.rope_scaling is not None) == scaled
    tokens = torch.randint(0, 50, (2, 60))
    with torch.no_grad():
        assert (theirs(tokens).logits - ours(tokens)).abs().max().item() <= 1e-5


def test_both_spellings_of_the_rotary_scaling_mean_the_same(tmp_path, make_config, make_model):
    scaling = RopeScaling(factor=8.0, original_context=32)
    config = make_config(rope_scaling=scaling)
    save_hf(make_model(config), tmp_path / "model")
    values = json.loads((tmp_path / "model" / "config.json").read_text())
    parameters = values["rope_scaling"] | {"rope_theta": values["rope_theta"]}
    _edit_config(
        tmp_path / "model", rope_scaling="absent", rope_theta="absent", rope_parameters=parameters
    )
    assert read_config(tmp_path / "model") == config


def test_tokenizer_and_special_ids_are_saved_beside_the_weights(
    tmp_path, make_config, make_model, byte_level
):
    model = make_model(make_config(vocab_size=byte_level.vocab_size))
    save_hf(model, tmp_path / "model", tokenizer=byte_level)
    text = "Ein Schaf \U0001f40f walks\n\nup 1234 hills"
    theirs = AutoTokenizer.from_pretrained(tmp_path / "model")
    assert theirs.encode(text, add_special_tokens=False) == byte_level.encode(text)
    generation = AutoModelForCausalLM.from_pretrained(tmp_path / "model").generation_config
    assert generation.bos_token_id == byte_level.bos_id
    assert generation.eos_token_id == byte_level.eos_id


def test_a_generation_config_of_ones_own_is_kept(tmp_path, make_config, make_model):
    generation = {"temperature": 0.6, "top_p": 0.9, "do_sample": True}
    save_hf(make_model(make_config()), tmp_path / "model", generation=generation)
    assert json.loads((tmp_path / "model" / "generation_config.json").read_text()) == generation


def test_a_second_copy_of_a_tied_matrix_is_dropped_only_if_it_is_one(
    tmp_path, make_config, make_model, assert_same_weights
):
    model = make_model(make_config(tie_embeddings=True))
    directory = tmp_path / "model"
    save_hf(model, directory)
    _edit_weights(
        directory, lambda w: w.update({"lm_head.weight": w["model.embed_tokens.weight"].clone()})
    )
    assert_same_weights(model, load_weights(directory))
    _edit_weights(directory, lambda w: w["lm_head.weight"].add_(1))
    with pytest.raises(UserError, match=r"lm_head\.weight"):
        load_weights(directory)


def test_converting_on_load_gives_the_dtype_asked_for(saved):
    model = load_weights(saved, dtype=torch.bfloat16)
    assert {weight.dtype for weight in model.parameters()} == {torch.bfloat16}
    assert all(weight.requires_grad for weight in model.parameters())


def test_weights_of_two_dtypes_become_the_one_that_loses_nothing(saved):
    _edit_weights(saved, lambda w: w.update({k: v.bfloat16() for k, v in w.items() if v.dim() > 1}))
    assert load_weights(saved).norm.weight.dtype == torch.float32
    _edit_weights(
        saved, lambda w: w.update({k: v.bfloat16().float() for k, v in w.items() if v.dim() < 2})
    )
    assert load_weights(saved).norm.weight.dtype == torch.bfloat16


def test_an_existing_directory_is_kept_unless_told_otherwise(saved, make_config, make_model):
    other = make_model(make_config(n_layers=1))
    with pytest.raises(UserError, match="already exists"):
        save_hf(other, saved)
    assert read_config(saved).n_layers == 2
    save_hf(other, saved, replace=True)
    assert read_config(saved).n_layers == 1
    assert [path.name for path in saved.parent.iterdir()] == [saved.name]


NORM = "model.layers.1.input_layernorm.weight"
WEIGHT_LIES = {
    "missing": (lambda w: w.pop(NORM), NORM),
    "bias": (lambda w: w.update({"model.layers.0.self_attn.q_proj.bias": torch.zeros(64)}), "bias"),
    "one layer more": (
        lambda w: w.update({NORM.replace(".1.", ".2."): torch.zeros(64)}),
        "2 layers",
    ),
    "shape": (lambda w: w.update({NORM: torch.zeros(65)}), NORM),
    "transposed": (
        lambda w: w.update({"lm_head.weight": w["lm_head.weight"].T.contiguous()}),
        r"lm_head\.weight",
    ),
    "integers": (lambda w: w.update({NORM: torch.zeros(64, dtype=torch.int32)}), NORM),
    "float8": (
        lambda w: w.update({NORM: torch.zeros(64).to(torch.float8_e4m3fn)}),
        NORM,
    ),
}


@pytest.mark.parametrize(("edit", "named"), WEIGHT_LIES.values(), ids=WEIGHT_LIES.keys())
def test_weights_that_do_not_fit_the_config_are_a_user_error_naming_the_tensor(saved, edit, named):
    _edit_weights(saved, edit)
    with pytest.raises(UserError, match=named) as caught:
        load_weights(saved)
    assert str(saved) in str(caught.value) and "\n" not in str(caught.value)


CONFIG_LIES = {
    "another model": {"model_type": "mixtral"},
    "another activation": {"hidden_act": "gelu"},
    "biases": {"attention_bias": True},
    "mlp biases": {"mlp_bias": True},
    "quantised": {"quantization_config": {"bits": 4}},
    "yarn": {"rope_scaling": {"rope_type": "yarn", "factor": 2.0}},
    "scaling without a factor": {"rope_scaling": {"rope_type": "llama3"}},
    "part of the channels": {"rope_parameters": {"partial_rotary_factor": 0.5}},
    "width as text": {"hidden_size": "64"},
    "width missing": {"hidden_size": "absent"},
    "width zero": {"hidden_size": 0},
    "width huge": {"hidden_size": 10**30},
    "heads that do not divide": {"num_attention_heads": 7, "head_dim": "absent"},
    "a billion layers": {"num_hidden_layers": 10**9},
    "one layer less": {"num_hidden_layers": 1},
    "another vocabulary": {"vocab_size": 97},
    "tied though it is not": {"tie_word_embeddings": True},
    "epsilon nan": {"rms_norm_eps": float("nan")},
    "theta negative": {"rope_theta": -1.0},
}


@pytest.mark.parametrize("changes", CONFIG_LIES.values(), ids=CONFIG_LIES.keys())
def test_a_config_that_lies_is_a_user_error_naming_the_file(saved, changes):
    _edit_config(saved, **changes)
    with pytest.raises(UserError) as caught:
        load_weights(saved)
    assert str(saved) in str(caught.value) and "\n" not in str(caught.value)


@pytest.mark.parametrize("raw", [b"", b"{", b"[]", b"null", b"\xff\xff", b"[" * 100_000])
def test_a_config_that_is_no_json_object_is_a_user_error(saved, raw):
    (saved / "config.json").write_bytes(raw)
    with pytest.raises(UserError, match=r"config\.json"):
        load_weights(saved)


@pytest.mark.parametrize(
    "weight_map",
    [
        {"model.norm.weight": "../secret.safetensors"},
        {"model.norm.weight": "/etc/passwd"},
        {"model.norm.weight": "absent.safetensors"},
        {"model.norm.weight": 3},
        {"not.in.there": "model.safetensors"},
        [],
        {},
    ],
)
def test_an_index_that_lies_is_a_user_error(saved, weight_map):
    index = {"metadata": {}, "weight_map": weight_map}
    (saved / "model.safetensors.index.json").write_text(json.dumps(index))
    with pytest.raises(UserError):
        load_weights(saved)


def test_a_directory_with_pickled_weights_only_asks_for_safetensors(saved):
    (saved / "model.safetensors").rename(saved / "pytorch_model.bin")
    with pytest.raises(UserError, match="safetensors instead"):
        load_weights(saved)


def test_a_tokenizer_with_more_ids_than_the_model_embeds_is_a_user_error(
    tmp_path, make_config, make_model, byte_level
):
    model = make_model(make_config(vocab_size=byte_level.vocab_size - 1))
    with pytest.raises(UserError, match="ids but the model embeds"):
        save_hf(model, tmp_path / "model", tokenizer=byte_level)
    assert list(tmp_path.iterdir()) == []


def test_a_failure_while_writing_leaves_nothing(tmp_path, make_config, make_model):
    model = make_model(make_config())

    def fail(_):
        raise RuntimeError("interrupted")

    with pytest.raises(RuntimeError, match="interrupted"):
        save_hf(model, tmp_path / "model", max_shard_bytes=20_000, advance=fail)
    assert list(tmp_path.iterdir()) == []


def test_a_model_loaded_from_a_file_can_be_trained_without_changing_it(saved):
    before = (saved / "model.safetensors").read_bytes()
    model = load_weights(saved)
    model(torch.zeros(1, 4, dtype=torch.int64)).sum().backward()
    torch.optim.SGD(model.parameters(), lr=1.0).step()
    assert (saved / "model.safetensors").read_bytes() == before
    assert replace(model.config) == read_config(saved)
