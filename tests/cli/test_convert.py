"""`herd convert` goes around the formats, refuses to overwrite, and leaves nothing half-written."""

import struct
from dataclasses import replace

import pytest
import torch

from herd.cli.main import run
from herd.model import (
    Transformer,
    init_weights,
    load_weights,
    quantize_model,
    quantized_linears,
    save_hf,
)
from herd.tokenizer import load


def test_a_model_that_went_through_every_format_is_the_same(babbler, tmp_path, capsys):
    meta, gguf, back = tmp_path / "meta", tmp_path / "x.gguf", tmp_path / "back"
    assert run(["convert", str(babbler), str(meta), "--to", "meta"]) == 0
    assert run(["convert", str(meta), str(gguf), "--to", "gguf", "--kind", "f32"]) == 0
    assert run(["convert", str(gguf), str(back), "--to", "hf"]) == 0
    assert capsys.readouterr().out.split() == [str(meta), str(gguf), str(back)]
    ours, theirs = load_weights(babbler), load_weights(back)
    assert ours.config == theirs.config
    for name, weight in ours.state_dict().items():
        assert torch.equal(theirs.state_dict()[name], weight)
    text = "one two three \U0001f40f"
    assert load(back).encode(text) == load(babbler).encode(text)


def test_a_dtype_is_applied(babbler, tmp_path):
    assert (
        run(["convert", str(babbler), str(tmp_path / "x"), "--to", "hf", "--dtype", "bfloat16"])
        == 0
    )
    assert load_weights(tmp_path / "x").norm.weight.dtype == torch.bfloat16


@pytest.mark.parametrize("scheme", ["int8", "fp8_ffn", "fp8_all"])
def test_a_model_is_quantised_on_the_way(babbler, tmp_path, capsys, scheme):
    source, target = tmp_path / "wide", tmp_path / "x"
    config = replace(load_weights(babbler).config, dim=32, ffn_dim=64, head_dim=16, n_layers=3)
    model = Transformer(config)
    init_weights(model, seed=1)
    save_hf(model, source, tokenizer=load(babbler))
    assert run(["convert", str(source), str(target), "--to", "hf", "--quantize", scheme]) == 0
    assert capsys.readouterr().out.strip() == str(target)
    quantize_model(model, scheme)
    read = load_weights(target)
    assert quantized_linears(read).keys() == quantized_linears(model).keys()
    for name, linear in quantized_linears(model).items():
        assert torch.equal(read.get_submodule(name).dequantized(), linear.dequantized())
    assert load(target).encode("one two") == load(babbler).encode("one two")


def test_a_model_too_narrow_for_groups_of_32_is_refused_and_nothing_is_written(
    babbler, tmp_path, capsys
):
    arguments = ["convert", str(babbler), str(tmp_path / "x"), "--to", "hf", "--quantize", "int8"]
    assert run(arguments) == 2
    assert "16 inputs" in capsys.readouterr().err and list(tmp_path.iterdir()) == []


def test_what_is_there_is_replaced_only_by_force_and_only_if_it_is_a_model(
    babbler, tmp_path, capsys
):
    target = tmp_path / "x"
    target.mkdir()
    (target / "diary.txt").write_text("precious")
    for arguments in ([], ["--force"]):
        assert run(["convert", str(babbler), str(target), "--to", "hf", *arguments]) == 2
        assert capsys.readouterr().err.count("\n") <= 2
    assert [path.name for path in tmp_path.rglob("*")] == ["x", "diary.txt"]
    (target / "diary.txt").rename(target / "config.json")
    assert run(["convert", str(babbler), str(target), "--to", "hf", "--force"]) == 0
    assert load_weights(target).config == load_weights(babbler).config


def test_force_replaces_no_file_but_a_gguf(babbler, tmp_path, capsys):
    thesis, gguf = tmp_path / "thesis.txt", tmp_path / "m.gguf"
    thesis.write_text("precious")
    assert run(["convert", str(babbler), str(thesis), "--to", "gguf", "--force"]) == 2
    assert "thesis.txt is not a GGUF file" in capsys.readouterr().err
    assert thesis.read_text() == "precious"
    for arguments in ([], ["--force"]):
        assert run(["convert", str(babbler), str(gguf), "--to", "gguf", *arguments]) == 0


@pytest.mark.parametrize(
    "arguments",
    [
        ["--to", "hf", "--kind", "f16"],
        ["--to", "gguf", "--dtype", "float16"],
        ["--to", "hf", "--shards", "2"],
        ["--to", "meta", "--shards", "3"],
        ["--to", "onnx"],
        ["--to", "gguf", "--quantize", "int8"],
        ["--to", "meta", "--quantize", "fp8_ffn"],
        ["--to", "hf", "--quantize", "int3"],
        [],
    ],
)
def test_settings_that_make_no_sense_are_a_mistake_and_write_nothing(babbler, tmp_path, arguments):
    assert run(["convert", str(babbler), str(tmp_path / "x"), *arguments]) == 2
    assert list(tmp_path.iterdir()) == []


def test_a_lying_file_is_one_line_and_exit_code_2(tmp_path, capsys):
    liar = tmp_path / "liar.gguf"
    liar.write_bytes(b"GGUF" + struct.pack("<IQQ", 3, 2**60, 1))
    assert run(["convert", str(liar), str(tmp_path / "out"), "--to", "hf"]) == 2
    err = capsys.readouterr().err
    assert err.startswith("herd: ") and err.count("\n") == 1 and str(liar) in err
    assert list(tmp_path.iterdir()) == [liar]
