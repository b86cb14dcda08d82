"""Benchmarks of every kind become examples; a broken file is named."""

import bz2
import csv
import gzip
import io
import json
import zipfile
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from herd.data.contamination import read_examples
from herd.data.contamination.benchmark_examples import file_stamps
from herd.foundation import UserError

SHARED = Path(__file__).resolve().parents[4] / "shared/data/bench"
ROWS = [
    {"question": "Who?", "choices": ["he", "she"], "gold": 1, "more": {"why": "so", "n": None}},
    {"question": "Where?", "choices": ["here", "there"], "gold": 0},
]
TEXTS = ["Who?\nhe\nshe\nso", "Where?\nhere\nthere"]


@pytest.fixture
def write(tmp_path):
    def write(name, data):
        path = tmp_path / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(data if isinstance(data, bytes) else data.encode())
        return str(path)

    return write


def texts(*paths, fields=()):
    return [example.text for example in read_examples(paths, fields)]


def lines(rows):
    return "\n".join(json.dumps(row) for row in rows) + "\n"


def test_all_strings_of_a_row_are_its_text_however_deep(write):
    path = write("a.jsonl", lines(ROWS))
    assert texts(path) == TEXTS
    assert [(one.benchmark, one.name) for one in read_examples([path])] == [("a", "1"), ("a", "2")]


@pytest.mark.parametrize("name", ["a.jsonl.gz", "a.json.gz", "a.ndjson.bz2"])
def test_compression_and_arrays_change_nothing(write, name):
    text = json.dumps(ROWS) if ".json." in name else lines(ROWS)
    pack = gzip.compress if name.endswith("gz") else bz2.compress
    assert texts(write(name, pack(text.encode()))) == TEXTS


def test_fields_are_chosen_in_the_order_asked_for(write):
    path = write("a.jsonl", lines(ROWS))
    assert texts(path, fields=("choices", "question")) == ["he\nshe\nWho?", "here\nthere\nWhere?"]
    table = write("t.csv", 'id,q,a\n1,"Who, then?",he\n')
    assert texts(table, fields=("a", "q")) == ["he\nWho, then?"]


def test_tables_with_and_without_a_header(write):
    assert texts(write("h.csv", "id,question\n7,Who is it?\n")) == ["7\nWho is it?"]
    assert texts(write("n.tsv", "Who is it?\t18\nAnd why?\t3\n")) == [
        "Who is it?\n18",
        "And why?\n3",
    ]


@given(st.lists(st.lists(st.text(max_size=8), min_size=2, max_size=2), min_size=1, max_size=6))
def test_any_table_comes_back_cell_by_cell(tmp_path_factory, rows):
    out = io.StringIO()
    kept = [[cell.replace("\r", " ").replace("\0", " ") for cell in row] for row in rows]
    csv.writer(out, lineterminator="\n").writerows([["a?", "b?"], *kept])
    path = tmp_path_factory.mktemp("t") / "t.csv"
    path.write_bytes(out.getvalue().encode("utf-8", "replace"))
    try:
        found = texts(str(path))
    except UserError as error:  # control characters make no text
        assert "binary" in str(error)
        return
    wanted = ["\n".join(cell.encode("utf-8", "replace").decode() for cell in row) for row in kept]
    assert found == ["a?\nb?", *(text for text in wanted if text.strip())]


def test_plain_text_is_hellaswags_paragraphs_or_lines(write):
    six = "A man. he\n3\nend a\nend b\nend c\nend d\n"
    assert (
        texts(write("h.txt.bz2", bz2.compress(six.encode() * 2)))
        == ["A man. he\nend a\nend b\nend c\nend d"] * 2
    )
    assert texts(write("p.txt", "one\nline\n\ntwo\n")) == ["one\nline", "two\n"]
    assert texts(write("l.txt", "one\ntwo\n")) == ["one", "two"]


def test_a_directory_is_every_benchmark_in_it_and_an_archive_is_one(write, tmp_path):
    write("b/deep/x.csv", "Why so?,A\n")
    write("b/README.md", "no benchmark")
    with zipfile.ZipFile(tmp_path / "b/m.zip", "w") as archive:
        archive.writestr("data/law_test.csv", "What is law?,B\nWhat is not?,C\n")
        archive.writestr("readme.md", "nothing")
        archive.writestr("README.txt", "nothing either")
    found = [(one.benchmark, one.name) for one in read_examples([str(tmp_path / "b")])]
    assert found == [
        ("deep/x", "1"),
        ("m", "data/law_test.csv:1"),
        ("m", "data/law_test.csv:2"),
    ]


@pytest.mark.parametrize(
    ("name", "data", "what"),
    [
        ("a.jsonl", '{"q": "x"}\n{"q": \n', "a.jsonl:2: no valid JSON"),
        ("a.jsonl", "[" * 100_000, "a.jsonl:1: no valid JSON"),
        ("a.jsonl.gz", gzip.compress(b'{"q": "x"}\n' * 999)[:-9], "damaged"),
        ("a.csv", 'q,a\n"open', "a.csv: no table"),
        ("a.zip", b"PK\x03\x04 no archive", "a.zip"),
        ("a.jsonl", b"\0\1\2\3" * 9, "a.jsonl: no text but binary"),
        ("a.json", "3", "neither an array nor an object"),
        ("a.jsonl", "\n", "no text in it"),
        ("a.csv", "q,a\n", "no text in it"),
        ("a.py", "print(1)", "no benchmark there"),
    ],
)
def test_a_broken_file_is_named_in_one_line(write, name, data, what):
    with pytest.raises(UserError, match=what.replace(".", r"\.")) as error:
        texts(write(name, data))
    assert "\n" not in str(error.value)


def test_what_is_missing_or_given_twice_is_refused(write, tmp_path):
    with pytest.raises(UserError, match="no such file"):
        texts(str(tmp_path / "none.jsonl"))
    path = write("a.jsonl", lines(ROWS))
    with pytest.raises(UserError, match="given twice"):
        texts(path, path)
    with pytest.raises(UserError, match="no column 'q'"):
        texts(write("a.csv", "id,question\n1,Who?\n"), fields=("q",))


def test_deep_rows_are_read_to_the_bottom(write):
    assert texts(write("a.jsonl", "[" * 400 + '"deep"' + "]" * 400)) == ["deep"]


def test_a_file_that_changes_has_another_stamp(write):
    path = write("a.jsonl", lines(ROWS))
    before = file_stamps([path])
    write("a.jsonl", lines(ROWS * 2))
    assert file_stamps([path]) != before


@pytest.mark.skipif(not SHARED.exists(), reason="needs the shared data")
def test_the_published_benchmarks_have_their_sizes():
    sizes = {
        "HumanEval.jsonl.gz": 164,
        "mgsm/mgsm_en.tsv": 250,
        "hellaswag_val_full.txt.bz2": 10042,
    }
    sizes |= {
        "mmlu.zip": 14042 + 1531 + 285,
        "TruthfulQA.csv.gz": 817,
        "mbpp.jsonl.gz": 974,
        "gsm8k_test.jsonl.gz": 1319,
    }
    assert {name: len(texts(str(SHARED / name))) for name in sizes} == sizes
