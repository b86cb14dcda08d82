"""Meta's directory: round trips to the bit over any number of shards, and what lies is refused."""

import json

import pytest
import torch

from herd.foundation import UserError, to_dict
from herd.model import (
    RopeScaling,
    llama2_7b,
    llama2_70b,
    llama3_8b,
    llama31_8b,
    llama31_405b,
    llama32_1b,
    llama32_3b,
)
from herd.model.formats import load_weights, read_config, save_meta
from herd.model.formats.meta_params import config_from_meta, config_to_meta
from herd.model.formats.rotary_layout import to_interleaved

DTYPES = (torch.float32, torch.bfloat16, torch.float16)


@pytest.fixture
def saved(tmp_path, make_config, make_model):
    save_meta(make_model(make_config(n_kv_heads=2)), tmp_path / "model", n_shards=2)
    return tmp_path / "model"


def _edit_shard(directory, rank, edit):
    path = directory / f"consolidated.{rank:02d}.pth"
    tensors = torch.load(path, weights_only=True)
    edit(tensors)
    torch.save(tensors, path)


def _edit_params(directory, **changes):
    path = directory / "params.json"
    values = json.loads(path.read_text()) | changes
    path.write_text(json.dumps({key: value for key, value in values.items() if value != "absent"}))


@pytest.mark.parametrize("dtype", DTYPES)
def test_a_round_trip_changes_no_bit(tmp_path, config, make_model, assert_same_weights, dtype):
    if config.head_dim * config.n_heads != config.dim:
        pytest.skip("Meta's format has no head size of its own")
    model = make_model(config, dtype)
    save_meta(model, tmp_path / "model")
    assert read_config(tmp_path / "model") == config
    assert_same_weights(model, load_weights(tmp_path / "model"))


@pytest.mark.parametrize("tied", [False, True])
@pytest.mark.parametrize("rope_theta", [10_000.0, 500_000.0], ids=["llama 2", "llama 3"])
@pytest.mark.parametrize("n_shards", [1, 2, 4])
def test_any_number_of_shards_holds_the_same_model(
    tmp_path, make_config, make_model, assert_same_weights, n_shards, rope_theta, tied
):
    config = make_config(n_kv_heads=2, rope_theta=rope_theta, tie_embeddings=tied)
    model = make_model(config)
    save_meta(model, tmp_path / "model", n_shards=n_shards)
    assert len(list((tmp_path / "model").glob("consolidated.*.pth"))) == n_shards
    assert_same_weights(model, load_weights(tmp_path / "model"))


def test_each_shard_is_as_large_as_its_tensors_and_no_larger(tmp_path, make_config, make_model):
    model = make_model(make_config())
    weights_bytes = sum(weight.nbytes for weight in model.state_dict().values())
    save_meta(model, tmp_path / "model", n_shards=4)
    files_bytes = sum(path.stat().st_size for path in (tmp_path / "model").glob("*.pth"))
    assert weights_bytes < files_bytes < 1.5 * weights_bytes


def test_more_shards_than_key_value_heads_repeat_heads_as_the_405b_release_does(
    tmp_path, make_config, make_model, assert_same_weights
):
    model = make_model(make_config(n_heads=8, n_kv_heads=2))
    directory = tmp_path / "model"
    save_meta(model, directory, n_shards=8)
    assert json.loads((directory / "params.json").read_text())["n_kv_heads"] == 8
    shards = [torch.load(path, weights_only=True) for path in sorted(directory.glob("*.pth"))]
    keys = [shard["layers.0.attention.wk.weight"] for shard in shards]
    assert keys[0].shape == (8, 64)
    assert torch.equal(keys[0], keys[3]) and not torch.equal(keys[3], keys[4])
    assert_same_weights(model, load_weights(directory))
    # Params may also state the different heads; and Meta's own directories have no herd.json.
    (directory / "herd.json").unlink()
    for stated in (8, 2):
        _edit_params(directory, n_kv_heads=stated)
        assert load_weights(directory).config.n_kv_heads == 2
    _edit_shard(directory, 3, lambda w: w["layers.1.attention.wv.weight"].add_(1))
    with pytest.raises(UserError, match=r"layers\.1\.attention\.wv.*copies"):
        load_weights(directory)


def test_a_directory_as_meta_ships_llama_2_is_read(tmp_path, make_config, make_model):
    """No herd.json, vocabulary -1, no theta, rope.freqs beside the weights, embedding cut by width."""
    model = make_model(make_config(rope_theta=10_000.0, ffn_dim=256))
    state = model.state_dict()
    for rank in range(2):
        part = {
            "tok_embeddings.weight": state["embedding.weight"].chunk(2, 1)[rank].clone(),
            "norm.weight": state["norm.weight"],
            "output.weight": state["output.weight"].chunk(2, 0)[rank].clone(),
            "rope.freqs": torch.zeros(8),
        }
        for i in range(2):
            ours, theirs = f"layers.{i}", f"layers.{i}"
            for a, b, cut in [("q", "wq", 0), ("k", "wk", 0), ("v", "wv", 0), ("o", "wo", 1)]:
                weight = state[f"{ours}.attention.{a}.weight"]
                weight = to_interleaved(weight, 16) if a in "qk" else weight
                part[f"{theirs}.attention.{b}.weight"] = weight.chunk(2, cut)[rank].clone()
            for a, b, cut in [("gate", "w1", 0), ("down", "w2", 1), ("up", "w3", 0)]:
                weight = state[f"{ours}.feed_forward.{a}.weight"]
                part[f"{theirs}.feed_forward.{b}.weight"] = weight.chunk(2, cut)[rank].clone()
            part[f"{theirs}.attention_norm.weight"] = state[f"{ours}.attention_norm.weight"]
            part[f"{theirs}.ffn_norm.weight"] = state[f"{ours}.feed_forward_norm.weight"]
        torch.save(part, tmp_path / f"consolidated.{rank:02d}.pth")
    params = {"dim": 64, "multiple_of": 256, "n_heads": 4, "n_layers": 2, "norm_eps": 1e-05}
    (tmp_path / "params.json").write_text(json.dumps(params | {"vocab_size": -1}))
    read = load_weights(tmp_path)
    assert read.config.max_context == 4096
    assert read.config.vocab_size == 96 and not read.config.tie_embeddings
    for name, weight in state.items():
        assert torch.equal(read.state_dict()[name], weight), name


PUBLISHED = {
    "llama2-7b": (
        llama2_7b,
        {
            "dim": 4096,
            "multiple_of": 256,
            "n_heads": 32,
            "n_layers": 32,
            "norm_eps": 1e-5,
            "vocab_size": -1,
        },
    ),
    "llama2-70b": (
        llama2_70b,
        {
            "dim": 8192,
            "multiple_of": 4096,
            "ffn_dim_multiplier": 1.3,
            "n_heads": 64,
            "n_kv_heads": 8,
            "n_layers": 80,
            "norm_eps": 1e-5,
            "vocab_size": -1,
        },
    ),
    "llama3-8b": (
        llama3_8b,
        {
            "dim": 4096,
            "multiple_of": 1024,
            "ffn_dim_multiplier": 1.3,
            "n_heads": 32,
            "n_kv_heads": 8,
            "n_layers": 32,
            "norm_eps": 1e-5,
            "rope_theta": 500000.0,
            "vocab_size": 128256,
        },
    ),
    "llama31-8b": (
        llama31_8b,
        {
            "dim": 4096,
            "multiple_of": 1024,
            "ffn_dim_multiplier": 1.3,
            "n_heads": 32,
            "n_kv_heads": 8,
            "n_layers": 32,
            "norm_eps": 1e-5,
            "rope_theta": 500000.0,
            "use_scaled_rope": True,
            "vocab_size": 128256,
        },
    ),
    "llama32-1b": (
        llama32_1b,
        {
            "dim": 2048,
            "multiple_of": 256,
            "ffn_dim_multiplier": 1.5,
            "n_heads": 32,
            "n_kv_heads": 8,
            "n_layers": 16,
            "norm_eps": 1e-5,
            "rope_theta": 500000.0,
            "use_scaled_rope": True,
            "vocab_size": 128256,
        },
    ),
    "llama32-3b": (
        llama32_3b,
        {
            "dim": 3072,
            "multiple_of": 256,
            "ffn_dim_multiplier": 1.0,
            "n_heads": 24,
            "n_kv_heads": 8,
            "n_layers": 28,
            "norm_eps": 1e-5,
            "rope_theta": 500000.0,
            "use_scaled_rope": True,
            "vocab_size": 128256,
        },
    ),
}


@pytest.mark.parametrize(("preset", "params"), PUBLISHED.values(), ids=PUBLISHED.keys())
def test_the_published_params_give_the_presets(tmp_path, preset, params):
    (tmp_path / "params.json").write_text(json.dumps(params))
    expected = preset()
    read = config_from_meta(
        tmp_path,
        vocab_size=expected.vocab_size,
        n_kv_heads=expected.n_kv_heads,
        looks_tied=lambda: expected.tie_embeddings,
    )
    assert read == expected


@pytest.mark.parametrize("preset", [llama2_7b, llama2_70b, llama3_8b, llama32_1b, llama31_405b])
def test_params_we_write_give_the_config_back_without_the_side_file(tmp_path, preset):
    config = preset()
    params, side = config_to_meta(config, n_shards=1)
    assert side == to_dict(config)
    (tmp_path / "params.json").write_text(json.dumps(params))
    read = config_from_meta(
        tmp_path,
        vocab_size=config.vocab_size,
        n_kv_heads=config.n_kv_heads,
        looks_tied=lambda: config.tie_embeddings,
    )
    assert read == config


@pytest.mark.parametrize("ffn_dim", [1, 7, 100, 171, 172, 1000, 11008, 29568])
def test_metas_rule_is_solved_for_any_feed_forward_width(make_config, ffn_dim):
    config_to_meta(make_config(ffn_dim=ffn_dim), n_shards=1)  # asserts that the rule gives ffn_dim


def test_a_head_size_that_meta_cannot_express_is_a_user_error(tmp_path, make_config, make_model):
    with pytest.raises(UserError, match="head_dim"):
        save_meta(make_model(make_config(head_dim=24)), tmp_path / "model")
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize("n_shards", [0, 3, 32])
def test_a_number_of_shards_that_does_not_divide_is_a_user_error(
    tmp_path, make_config, make_model, n_shards
):
    with pytest.raises(UserError, match="shards"):
        save_meta(make_model(make_config()), tmp_path / "model", n_shards=n_shards)
    assert list(tmp_path.iterdir()) == []


SHARD_LIES = {
    "missing in one": (lambda w: w.pop("norm.weight"), r"norm\.weight"),
    "another shape in one": (
        lambda w: w.update({"layers.0.attention.wq.weight": torch.zeros(8, 64)}),
        r"attention\.wq",
    ),
    "another norm in one": (lambda w: w["norm.weight"].add_(1), r"norm\.weight"),
    "unknown": (lambda w: w.update({"layers.0.attention.wq.lora": torch.zeros(8)}), "lora"),
}


@pytest.mark.parametrize(("edit", "named"), SHARD_LIES.values(), ids=SHARD_LIES.keys())
def test_shards_that_do_not_belong_together_are_a_user_error(saved, edit, named):
    _edit_shard(saved, 1, edit)
    with pytest.raises(UserError, match=named):
        load_weights(saved)


def test_a_lost_shard_is_a_user_error(saved):
    (saved / "consolidated.01.pth").unlink()
    with pytest.raises(UserError, match="a shard lost"):
        load_weights(saved)
    (saved / "consolidated.00.pth").unlink()
    with pytest.raises(UserError, match="get the weights"):
        load_weights(saved)


PARAMS_LIES = {
    "no width": {"dim": "absent"},
    "width zero": {"dim": 0},
    "heads zero": {"n_heads": 0},
    "heads as text": {"n_heads": "4"},
    "heads that do not divide": {"n_heads": 5},
    "key-value heads zero": {"n_kv_heads": 0},
    "another width": {"dim": 128},
    "another vocabulary": {"vocab_size": 97},
    "a billion layers": {"n_layers": 10**9},
    "multiplier zero": {"ffn_dim_multiplier": 0.0},
    "multiplier huge": {"ffn_dim_multiplier": 1e300},
    "multiple zero": {"multiple_of": 0},
    "epsilon negative": {"norm_eps": -1e-5},
}


@pytest.mark.parametrize("with_side_file", [True, False])
@pytest.mark.parametrize("changes", PARAMS_LIES.values(), ids=PARAMS_LIES.keys())
def test_params_that_lie_are_a_user_error_naming_the_directory(saved, changes, with_side_file):
    _edit_params(saved, **changes)
    if not with_side_file:
        (saved / "herd.json").unlink()
    with pytest.raises(UserError, match=str(saved)) as caught:
        load_weights(saved)
    assert "\n" not in str(caught.value)


def test_scaled_rotary_embedding_survives(tmp_path, make_config, make_model, assert_same_weights):
    model = make_model(make_config(rope_scaling=RopeScaling(factor=3.5, original_context=64)))
    save_meta(model, tmp_path / "model", n_shards=2)
    assert_same_weights(model, load_weights(tmp_path / "model"))
