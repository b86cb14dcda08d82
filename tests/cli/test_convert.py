"""`herd convert` goes around the formats, refuses to overwrite, and leaves nothing half-written."""

import struct

import pytest
import torch

from herd.cli.main import run
from herd.model import load_weights
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


@pytest.mark.parametrize(
    "arguments",
    [
        ["--to", "hf", "--kind", "f16"],
        ["--to", "gguf", "--dtype", "float16"],
        ["--to", "hf", "--shards", "2"],
        ["--to", "meta", "--shards", "3"],
        ["--to", "onnx"],
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
