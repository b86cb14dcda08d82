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
    assert shards[0]["statistics"]["counts"]["exact"]["same text"] == 1


def test_the_table_names_what_was_left_out(texts, tokenizer_directory, tmp_path, capsys):
    assert pack(texts, tokenizer_directory, tmp_path / "packed") == 0
    shown = capsys.readouterr().out
    assert "same text" in shown
    assert "train" in shown and "held_out" in shown
    assert run(["data", "inspect", str(tmp_path / "packed" / "train")]) == 0
    assert "same text" in capsys.readouterr().out


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


@pytest.fixture
def pages(tmp_path):
    """Records of prose, one of them twice."""
    sentences = "".join(
        f"Page {n} tells how the mill at the river {n}x was built and who paid for it in that year. "
        for n in range(9)
    )
    rows = [{"text": f"{name} {sentences}", "url": f"https://a.org/{name}"} for name in "abcdefgh"]
    folder = tmp_path / "rows"
    folder.mkdir()
    with (folder / "rows.jsonl").open("w") as file:
        file.writelines(json.dumps(row) + "\n" for row in [*rows, rows[0]])
    return folder


def curate(pages, out, *more):
    settings = [
        "--set",
        "stages.heuristics.repetition=none",
        "--set",
        "stages.minhash.threshold=1.0",
    ]
    command = ["data", "curate", "web", "--source", str(pages), "--out", str(out)]
    return run([*command, *settings, *more])


def test_a_curated_corpus_can_be_inspected_by_page_document_and_program(pages, tmp_path, capsys):
    out = tmp_path / "corpus"
    assert curate(pages, out, "--json") == 0
    manifest = json.loads(capsys.readouterr().out)
    assert [row["stage"] for row in manifest["funnel"]][:3] == ["extract", "url", "exact"]
    assert (out / "report.html").is_file()
    assert run(["data", "inspect", str(out), "--verify", "--json"]) == 0
    assert json.loads(capsys.readouterr().out) == manifest
    assert run(["data", "inspect", str(out)]) == 0
    assert "same URL" in capsys.readouterr().out
    assert run(["data", "inspect", str(out), "--document", "rows.jsonl:9"]) == 0
    assert "url: dropped, same URL (rows.jsonl:1)" in capsys.readouterr().out
    assert run(["data", "inspect", str(out), "--html", str(tmp_path / "page.html")]) == 0
    assert "Stage by stage" in (tmp_path / "page.html").read_text()


def test_the_closing_words_name_what_was_not_read_and_the_vocabulary(pages, tmp_path, capsys):
    with (pages / "rows.jsonl").open("a") as file:
        file.write("{\n")
    assert curate(pages, tmp_path / "corpus", "--vocab-size", "30000") == 0
    said = capsys.readouterr().err
    assert "not read, or not wholly: 1 malformed row (rows.jsonl:" in said
    assert "(the text had not enough pairs for 30,000)" in said


def test_a_source_without_text_is_no_silent_nothing(tmp_path, capsys):
    (tmp_path / "empty").mkdir()
    assert (
        run(
            [
                "data",
                "curate",
                "web",
                "--source",
                str(tmp_path / "empty"),
                "--out",
                str(tmp_path / "out"),
            ]
        )
        == 0
    )
    assert "no file of a known kind" in capsys.readouterr().err


@pytest.mark.parametrize(
    ("more", "message"),
    [
        (["--workers", "-1"], "--workers is -1"),
        (["--vocab-size", "100"], "packing.vocab_size is 100"),
        (["--tokenizer", "nowhere"], "nowhere"),
        (["--set", "stages.99.x=1"], "index"),
        (["--set", "stages.3.treshold=1"], "threshold"),
    ],
)
def test_a_mistake_in_curating_is_one_line_and_leaves_nothing(
    pages, tmp_path, capsys, more, message
):
    assert curate(pages, tmp_path / "corpus", *more) == 2
    assert message in capsys.readouterr().err.splitlines()[-1]
    assert not (tmp_path / "corpus").exists()


def test_an_unknown_recipe_and_an_unknown_document_are_named(pages, tmp_path, capsys):
    assert run(["data", "curate", "wep", "--out", str(tmp_path / "x")]) == 2
    assert "did you mean web?" in capsys.readouterr().err
    assert curate(pages, tmp_path / "corpus") == 0
    assert run(["data", "inspect", str(tmp_path / "corpus"), "--document", "rows.jsonl:99"]) == 2
    assert "no document 'rows.jsonl:99'" in capsys.readouterr().err


@pytest.fixture
def labelled_folders(tmp_path):
    for label, word in (("good", "clear"), ("bad", "cheap")):
        (tmp_path / label).mkdir()
        for n in range(40):
            text = f"{word} words of number {n} {word} again {n * n}"
            (tmp_path / label / f"{n}.txt").write_text(text)
    return [f"{label}={tmp_path / label}" for label in ("good", "bad")]


def test_a_classifier_is_trained_evaluated_and_used(labelled_folders, tmp_path, capsys):
    out = tmp_path / "classifier"
    command = ["data", "train-classifier", *labelled_folders, "--out", str(out)]
    assert run([*command, "--json"]) == 0
    assert json.loads(capsys.readouterr().out)["accuracy"] > 0.9
    assert run(command) == 2
    assert "already exists" in capsys.readouterr().err


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["folder"], "no LABEL=LOCATION"),
        (["a=x", "a=y"], "comes twice"),
        (["a=x"], "two labels or more"),
        (["a", "b", "--seeds", "topics"], "one location"),
        (["a", "--seeds", "topics", "--teacher", "m"], "choose one"),
        (["a", "--seeds", "nowhere.json"], "nowhere.json"),
        (["a", "--teacher", "nowhere"], "nowhere"),
    ],
)
def test_a_classifier_of_nothing_is_one_line(tmp_path, capsys, arguments, message):
    assert run(["data", "train-classifier", *arguments, "--out", str(tmp_path / "out")]) == 2
    assert message in capsys.readouterr().err.splitlines()[-1]
    assert not (tmp_path / "out").exists()


def test_contamination_of_a_corpus_is_told(pages, tmp_path, capsys):
    assert curate(pages, tmp_path / "corpus") == 0
    text = json.loads((pages / "rows.jsonl").read_text().splitlines()[0])["text"]
    (tmp_path / "bench.jsonl").write_text(json.dumps({"question": text[:300]}) + "\n")
    capsys.readouterr()
    command = ["data", "contamination", str(tmp_path / "corpus")]
    assert run([*command, "--benchmark", str(tmp_path / "bench.jsonl"), "--json"]) == 0
    assert json.loads(capsys.readouterr().out)["benchmarks"]["bench"]["mean_score"] > 0.9
    assert run([*command, "--benchmark", str(tmp_path / "none.jsonl")]) == 2
    assert "none.jsonl" in capsys.readouterr().err
