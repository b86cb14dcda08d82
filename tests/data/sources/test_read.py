import gzip
import json
import os
import sysconfig
import tarfile
from pathlib import Path

import pytest

from herd.data import SourceConfig, Tally, fetch_sources, read_documents
from herd.data.sources import packages, pieces, records
from herd.foundation import UserError


def read_all(location, **options):
    tally = Tally()
    found = list(read_documents([SourceConfig(location=str(location), **options)], tally))
    return {document.name: document.text for document in found}, tally


def test_a_directory_is_read_in_an_order_that_is_the_same_everywhere(tmp_path):
    for name in ("b.txt", "a/z.md", "a/y.py", "c.html", "notes.gz", "x.bin", ".git/config.txt"):
        (tmp_path / name).parent.mkdir(exist_ok=True)
        (tmp_path / name).write_text(f"<p>text of {name}</p>")
    texts, tally = read_all(tmp_path)
    assert list(texts) == ["a/y.py", "a/z.md", "b.txt", "c.html"]
    assert texts["c.html"] == "text of c.html"
    assert tally.counts["read", "file of another kind"] == 2
    assert tally.counts["read", "hidden or generated"] == 1


def test_code_and_prose_are_told_apart(tmp_path):
    (tmp_path / "a.py").write_text("pass")
    (tmp_path / "b.txt").write_text("words")
    found = read_documents([SourceConfig(location=str(tmp_path))], Tally())
    assert [document.kind for document in found] == ["code", "prose"]


def test_patterns_choose_files(tmp_path):
    for name in ("keep/a.txt", "keep/b.log", "drop/c.txt"):
        (tmp_path / name).parent.mkdir(exist_ok=True)
        (tmp_path / name).write_text(name)
    assert list(read_all(tmp_path, exclude=("drop/*",))[0]) == ["keep/a.txt"]
    assert list(read_all(tmp_path, include=("*.log",))[0]) == ["keep/b.log"]


def test_bad_files_among_good_ones_are_named(tmp_path):
    (tmp_path / "good.txt").write_text("good")
    (tmp_path / "binary.txt").write_bytes(bytes(100))
    (tmp_path / "empty.txt").write_bytes(b"")
    (tmp_path / "latin.txt").write_bytes("caf\xe9".encode("latin-1"))
    (tmp_path / "torn.txt.gz").write_bytes(gzip.compress(bytes(range(65, 90)) * 999)[:-20])
    (tmp_path / "gone.txt").symlink_to(tmp_path / "nowhere")
    os.mkfifo(tmp_path / "pipe.txt")
    texts, tally = read_all(tmp_path)
    assert texts == {"good.txt": "good", "latin.txt": "caf\xe9"}
    names = tally.statistics()["names"]["read"]
    assert names["binary file"] == ["binary.txt"]
    assert names["empty file"] == ["empty.txt"]
    assert names["file read as cp1252"] == ["latin.txt"]
    assert names["corrupt or truncated file"] == ["torn.txt.gz"]
    assert names["unreadable file"] == [str(tmp_path / "gone.txt")]
    assert names["not a regular file"] == [str(tmp_path / "pipe.txt")]


def test_a_loop_of_links_ends(tmp_path):
    (tmp_path / "a").mkdir()
    (tmp_path / "a" / "text.txt").write_text("once")
    (tmp_path / "a" / "loop").symlink_to(tmp_path)
    (tmp_path / "self").symlink_to(tmp_path / "self")
    texts, tally = read_all(tmp_path)
    assert texts == {"a/text.txt": "once"}
    assert tally.counts["read", "link to a directory already read"] == 1
    assert tally.counts["read", "unreadable file"] == 1


def test_a_file_that_may_not_be_read_is_named(tmp_path, monkeypatch):
    (tmp_path / "secret.txt").write_text("x")
    monkeypatch.setattr(Path, "open", _refuse)
    texts, tally = read_all(tmp_path)
    assert texts == {}
    assert "secret.txt" in tally.sentence("read")


def _refuse(self, *_):
    raise PermissionError(13, "Permission denied", str(self))


@pytest.mark.parametrize("opener", [open, gzip.open])
def test_rows_of_json_lines_come_with_their_numbers(tmp_path, opener):
    path = tmp_path / ("a.jsonl" if opener is open else "a.jsonl.gz")
    lines = [
        json.dumps({"text": "one", "id": 1}),
        "",
        "{broken",
        json.dumps({"body": "no text"}),
        json.dumps({"text": 5}),
        json.dumps("a plain string"),
        "[" * 100_000,
        json.dumps({"text": "lone \ud800 surrogate"}),
        json.dumps({"text": "last"}),
    ]
    with opener(path, "wt") as file:
        file.write("\n".join(lines))
    texts, tally = read_all(path)
    assert {name.partition(":")[2]: text for name, text in texts.items()} == {
        "1": "one",
        "6": "a plain string",
        "8": "lone \ufffd surrogate",
        "9": "last",
    }
    assert tally.counts["read", "malformed row"] == 2
    assert tally.counts["read", "row without a text in 'text'"] == 2


def test_a_row_too_long_is_skipped_and_the_next_one_read(tmp_path, monkeypatch):
    monkeypatch.setattr(records, "MAX_ROW_BYTES", 64)
    rows = [json.dumps({"text": text}) for text in ("a", "b" * 200, "c")]
    (tmp_path / "a.jsonl").write_text("\n".join(rows))
    texts, tally = read_all(tmp_path / "a.jsonl")
    assert list(texts.values()) == ["a", "c"]
    assert tally.counts["read", "row too long"] == 1


def test_columns_of_separated_values(tmp_path):
    (tmp_path / "a.csv").write_text('id,text\n1,"two, with\na line"\n2\n3,four\n')
    (tmp_path / "b.tsv").write_text("text\tid\nfive\t6\n")
    (tmp_path / "c.csv").write_text("other\nx\n")
    texts, tally = read_all(tmp_path)
    assert list(texts.values()) == ["two, with\na line", "four", "five"]
    assert tally.counts["read", "malformed row"] == 1
    assert tally.counts["read", "file without a column 'text'"] == 1


def test_a_long_field_does_not_change_the_limit_of_the_process(tmp_path):
    import csv

    limit = csv.field_size_limit()
    (tmp_path / "a.csv").write_text("text\n" + "x" * 200_000 + "\n")
    assert len(read_all(tmp_path)[0]["a.csv:2"]) == 200_000
    assert csv.field_size_limit() == limit


def test_columns_of_parquet(tmp_path):
    arrow = pytest.importorskip("pyarrow")
    import pyarrow.parquet as parquet

    table = arrow.table({"text": ["one", None, "two"], "id": [1, 2, 3]})
    parquet.write_table(table, tmp_path / "a.parquet")
    data = (tmp_path / "a.parquet").read_bytes()
    (tmp_path / "b.parquet").write_bytes(data[: len(data) // 2])
    (tmp_path / "c.parquet").write_bytes(data[:4] + bytes(len(data) - 8) + data[-4:])
    texts, tally = read_all(tmp_path)
    assert texts == {"a.parquet:1": "one", "a.parquet:3": "two"}
    assert tally.counts["read", "corrupt file"] == 2
    assert tally.counts["read", "row without a text in 'text'"] == 1


def test_another_field_may_hold_the_text(tmp_path):
    (tmp_path / "a.jsonl").write_text(json.dumps({"content": "here"}))
    assert list(read_all(tmp_path, text_field="content")[0].values()) == ["here"]


def test_a_file_longer_than_the_bound_becomes_numbered_pieces(tmp_path, monkeypatch):
    monkeypatch.setattr(pieces.read_pieces, "__defaults__", (64,))
    whole = "".join(f"line {i}\n" for i in range(40))
    (tmp_path / "long.txt").write_text(whole)
    (tmp_path / "short.txt").write_text("short")
    texts, tally = read_all(tmp_path)
    assert texts.pop("short.txt") == "short"
    assert "".join(texts.values()) == whole
    assert list(texts) == [f"long.txt#{i + 1}" for i in range(len(texts))]
    assert all(len(text) <= 64 for text in texts.values())
    assert tally.counts["read", "file cut into pieces"] == 1


def test_a_huge_file_is_read_in_little_memory(tmp_path, monkeypatch):
    import tracemalloc

    monkeypatch.setattr(pieces.read_pieces, "__defaults__", (1 << 20,))
    with gzip.open(tmp_path / "huge.txt.gz", "wb", 1) as file:
        for _ in range(40):
            file.write(b"all work and no play\n" * 50_000)  # 1 MB at a time
    tracemalloc.start()
    n_chars = sum(
        len(document.text)
        for document in read_documents([SourceConfig(location=str(tmp_path))], Tally())
    )
    peak_bytes = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()
    assert n_chars == 40 * 21 * 50_000
    assert peak_bytes < 12 << 20


def test_the_standard_library_is_a_corpus_of_code_without_its_tests():
    texts, tally = read_all("python:stdlib")
    assert len(texts) > 300
    with open(os.path.join(sysconfig.get_path("stdlib"), "json", "decoder.py")) as file:
        assert texts["python:stdlib/json/decoder.py"] == file.read()
    assert not [name for name in texts if "/test/" in name or "site-packages" in name]
    assert tally.counts["read", "documents"] == len(texts)


def test_a_package_brings_its_prose_and_not_its_packaging(tmp_path, monkeypatch):
    names = ["README.txt", "setup.py", "p.egg-info/top_level.txt", "texts/play.txt", "docs/a.txt"]
    for name in names:
        (tmp_path / "p-1.0" / name).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / "p-1.0" / name).write_text(f"text of {name}")
    with tarfile.open(tmp_path / "p-1.0.tar.gz", "w:gz") as tar:
        tar.add(tmp_path / "p-1.0", "p-1.0")
    monkeypatch.setattr(packages, "fetch_distribution", lambda *_, **__: tmp_path / "p-1.0.tar.gz")
    texts, _ = read_all("pypi:p==1.0")
    assert texts == {"pypi:p==1.0/texts/play.txt": "text of texts/play.txt"}


@pytest.mark.parametrize("location", ["no/such/place", "python:other", "/dev/null"])
def test_a_location_that_is_none_is_a_mistake(location):
    with pytest.raises(UserError, match=location):
        read_all(location)


def test_an_empty_location_is_a_mistake():
    with pytest.raises(UserError, match="location"):
        SourceConfig(location="")


def test_a_source_that_does_not_exist_is_refused_before_anything_is_fetched() -> None:
    sources = [SourceConfig(location="pypi:never-asked-for==1"), SourceConfig(location="nosuch")]
    with pytest.raises(UserError, match="nosuch: no such file or directory"):
        fetch_sources(sources)
