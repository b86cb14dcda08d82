"""Which format lies at a path, and what is said when none does."""

import pytest

from herd.foundation import UserError
from herd.model.formats import detect_format, load_weights, save_gguf, save_hf, save_meta


def test_each_format_is_recognised(tmp_path, make_config, make_model, byte_level):
    model = make_model(make_config(vocab_size=byte_level.vocab_size))
    save_hf(model, tmp_path / "hf")
    save_meta(model, tmp_path / "meta")
    save_gguf(model, tmp_path / "folder" / "x.gguf", tokenizer=byte_level, kind="f16")
    assert detect_format(tmp_path / "hf") == "hf"
    assert detect_format(tmp_path / "meta") == "meta"
    assert detect_format(tmp_path / "folder") == "gguf"
    assert detect_format(tmp_path / "folder" / "x.gguf") == "gguf"
    assert load_weights(tmp_path / "folder").config == model.config


def test_a_path_without_a_model_is_a_user_error_that_names_it(tmp_path):
    (tmp_path / "empty").mkdir()
    (tmp_path / "weights.safetensors").touch()
    (tmp_path / "notes.txt").write_text("no model")
    for name in ("empty", "absent", "weights.safetensors", "notes.txt"):
        with pytest.raises(UserError, match=name):
            load_weights(tmp_path / name)


def test_the_bytes_of_every_tensor_are_reported(tmp_path, make_config, make_model):
    model = make_model(make_config())
    save_hf(model, tmp_path / "hf")
    seen = []
    load_weights(tmp_path / "hf", advance=seen.append)
    assert sum(seen) == sum(weight.nbytes for weight in model.parameters())
