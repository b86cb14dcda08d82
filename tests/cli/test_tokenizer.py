"""`herd tokenizer` from the command line: train, show, encode, decode, and mistakes."""

import json
from pathlib import Path

import pytest

from herd.cli.main import run


@pytest.fixture
def trained(tmp_path: Path) -> Path:
    (tmp_path / "text").mkdir()
    (tmp_path / "text" / "a.txt").write_text("the herd grazes, the llama grazes\n" * 20)
    out = tmp_path / "tokenizer"
    code = run(
        ["tokenizer", "train", str(tmp_path / "text"), "--vocab-size", "560", "--out", str(out)]
    )
    assert code == 0
    return out


def test_ids_printed_by_encode_decode_to_the_text(
    trained: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    capsys.readouterr()
    assert run(["tokenizer", "encode", str(trained), "the llama <|eot_id|>"]) == 0
    ids = capsys.readouterr().out.split()
    assert run(["tokenizer", "decode", str(trained), *ids]) == 0
    assert capsys.readouterr().out == "the llama <|eot_id|>\n"


def test_json_output_is_json(trained: Path, capsys: pytest.CaptureFixture[str]) -> None:
    capsys.readouterr()
    assert run(["tokenizer", "show", str(trained), "--json"]) == 0
    facts = json.loads(capsys.readouterr().out)
    assert facts["n_special"] == 256
    words = ["tokenizer", "encode", str(trained), "a<|eot_id|>", "--allow", "all", "--json"]
    assert run(words) == 0
    assert json.loads(capsys.readouterr().out)["pieces"][-1] == "<|eot_id|>"


@pytest.mark.parametrize("content", [b"", b"\x00\x01\x02binary", b"\xff\xfe not UTF-8"])
def test_a_corpus_that_is_no_text_exits_2_and_leaves_nothing(
    content: bytes, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    (tmp_path / "corpus").write_bytes(content)
    out = tmp_path / "out"
    assert run(["tokenizer", "train", str(tmp_path / "corpus"), "--out", str(out)]) == 2
    error = capsys.readouterr().err
    assert error.startswith("herd: ")
    assert error.count("\n") == 1
    assert sorted(p.name for p in tmp_path.iterdir()) == ["corpus"]
