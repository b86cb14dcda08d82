"""Prompts and answers out of files: every kind is read, every bad row named."""

import gzip
import json
from pathlib import Path

import pytest

from herd.evals.arena import read_answers, read_prompts
from herd.foundation import UserError

SHARED = Path(__file__).resolve().parents[4] / "shared/data/bench"
MESSAGES = [
    {"role": "user", "content": "a"},
    {"role": "assistant", "content": "b"},
    {"role": "user", "content": "c"},
]


def test_prompt_turns_and_messages_are_prompts(write) -> None:
    path = write(
        "p.jsonl",
        [
            {"prompt": "hello"},
            {"question_id": 81, "category": "writing", "turns": ["one", "two"]},
            {"id": "m", "messages": MESSAGES},
        ],
    )
    prompts, notes = read_prompts(path)
    assert list(prompts) == ["1", "81", "m"]
    assert prompts["1"].messages == ({"role": "user", "content": "hello"},)
    assert prompts["81"].messages == ({"role": "user", "content": "one"},)
    assert prompts["81"].category == "writing"
    assert list(prompts["m"].messages) == MESSAGES
    assert notes == ["1 prompts have more turns; only the first is asked"]


def test_compression_and_a_byte_order_mark_change_nothing(write, tmp_path) -> None:
    path = write("p.jsonl", [{"prompt": "é"}, {"prompt": "b"}])
    packed = tmp_path / "p.jsonl.gz"
    packed.write_bytes(gzip.compress(b"\xef\xbb\xbf" + path.read_bytes()))
    assert read_prompts(packed) == read_prompts(path)


@pytest.mark.parametrize(
    ("row", "words"),
    [
        ("{", "no JSON"),
        ("[1]", "no JSON object"),
        ("[" * 100_000, "no JSON"),
        ({"id": "x"}, "no prompt"),
        ({"prompt": 3}, "prompt: 3 is no text"),
        ({"turns": []}, "turns is no list of texts"),
        ({"id": True, "prompt": "x"}, "the id is True"),
        ({"messages": MESSAGES[:2]}, "end with the assistant"),
        ({"messages": [{"role": "king", "content": ""}]}, "role 'king' is unknown"),
    ],
)
def test_a_malformed_row_is_left_out_and_named_with_file_line_and_reason(write, row, words) -> None:
    path = write("p.jsonl", [{"prompt": "good"}, row])
    prompts, notes = read_prompts(path)
    assert len(prompts) == 1
    assert f"1 malformed rows left out: {path}, line 2: " in notes[0] and words in notes[0]


def test_a_file_without_a_good_row_is_refused_with_its_first_reason(write) -> None:
    with pytest.raises(UserError, match="line 1: no field 'answer'"):
        read_answers(write("a.jsonl", [{"id": 1, "prompt": "x"}]))
    with pytest.raises(UserError, match="has no rows"):
        read_answers(write("b.jsonl", [""]))


def test_two_rows_of_one_id_are_refused_with_both_lines(write) -> None:
    path = write("a.jsonl", [{"id": 1, "answer": "x"}, {"id": "1", "answer": "y"}])
    with pytest.raises(UserError, match="lines 1 and 2 have the same id '1'"):
        read_answers(path)


def test_broken_and_missing_files_are_named(tmp_path) -> None:
    broken = tmp_path / "p.jsonl.gz"
    broken.write_bytes(gzip.compress(json.dumps({"prompt": "x" * 9_999}).encode())[:40])
    with pytest.raises(UserError, match="damaged or truncated"):
        read_prompts(broken)
    with pytest.raises(UserError, match="cannot read .*none.jsonl"):
        read_prompts(tmp_path / "none.jsonl")


def test_lone_surrogates_are_replaced_so_that_they_can_be_kept(write) -> None:
    answers, _ = read_answers(write("a.jsonl", ['{"id": "a", "answer": "x\\ud800y"}']))
    assert answers["a"].answer == "x\N{REPLACEMENT CHARACTER}y"


def test_a_limit_takes_the_first(write) -> None:
    path = write("p.jsonl", [{"prompt": str(i)} for i in range(5)])
    assert list(read_prompts(path, 2)[0]) == ["1", "2"]


@pytest.mark.skipif(not SHARED.exists(), reason="needs the shared data")
def test_mt_bench_is_read_as_published() -> None:
    prompts, notes = read_prompts(SHARED / "mt_bench_question.jsonl.gz")
    assert len(prompts) == 80 and len({one.category for one in prompts.values()}) == 8
    assert notes == ["80 prompts have more turns; only the first is asked"]
