import json

import pytest

from herd.cli.main import run
from herd.tokenizer import train_bpe


@pytest.fixture(scope="module")
def tokenizer_directory(tmp_path_factory):
    directory = tmp_path_factory.mktemp("tokenizer")
    train_bpe(["some words to learn from, and some more words"] * 3, vocab_size=600).save(directory)
    return directory


@pytest.fixture
def texts(tmp_path):
    folder = tmp_path / "texts"
    folder.mkdir()
    for i in range(6):
        (folder / f"{i}.txt").write_text(f"some words of text number {i}, and more words\n" * 9)
    (folder / "copy.txt").write_text((folder / "0.txt").read_text())
    return folder


def pack(texts, tokenizer, out, *more):
    return run(
        ["data", "pack", str(texts), "--tokenizer", str(tokenizer), "--out", str(out), *more]
    )


def test_what_is_packed_can_be_inspected(texts, tokenizer_directory, tmp_path, capsys):
    out = tmp_path / "packed"
    assert pack(texts, tokenizer_directory, out, "--held-out", "0.2", "--json") == 0
    packed = json.loads(capsys.readouterr().out)
    assert run(["data", "inspect", str(out), "--verify", "--json"]) == 0
    assert json.loads(capsys.readouterr().out) == packed
    shards = [packed[str(out / split)] for split in ("train", "held_out")]
    assert sum(shard["n_documents"] for shard in shards) == 6
    assert shards[0]["statistics"]["counts"]["deduplicate"]["exact duplicate"] == 1


def test_the_table_names_what_was_left_out(texts, tokenizer_directory, tmp_path, capsys):
    assert pack(texts, tokenizer_directory, tmp_path / "packed") == 0
    shown = capsys.readouterr().out
    assert "exact duplicate" in shown
    assert "train" in shown and "held_out" in shown
    assert run(["data", "inspect", str(tmp_path / "packed" / "train")]) == 0
    assert "exact duplicate" in capsys.readouterr().out


@pytest.mark.parametrize(
    ("more", "message"),
    [(["--held-out", "0.9"], "held_out_fraction"), (["--text-field", ""], "text_field")],
)
def test_a_mistake_is_one_line_and_leaves_nothing(
    texts, tokenizer_directory, tmp_path, capsys, more, message
):
    assert pack(texts, tokenizer_directory, tmp_path / "packed", *more) == 2
    assert message in capsys.readouterr().err.splitlines()[-1]
    assert not (tmp_path / "packed").exists()


def test_a_binary_corpus_is_one_line_and_leaves_nothing(tokenizer_directory, tmp_path, capsys):
    (tmp_path / "a.txt").write_bytes(bytes(1000))
    assert pack(tmp_path, tokenizer_directory, tmp_path / "packed") == 2
    assert "binary file (a.txt)" in capsys.readouterr().err.splitlines()[-1]
    assert not (tmp_path / "packed").exists()


def test_inspecting_what_is_no_shard_is_a_mistake(tmp_path, capsys):
    assert run(["data", "inspect", str(tmp_path)]) == 2
    assert "not a packed shard" in capsys.readouterr().err
