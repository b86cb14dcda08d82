"""Bits per byte of any text, against a count by hand."""

import gzip
import math
from collections.abc import Callable
from pathlib import Path

import pytest

from herd.evals import Chosen, EvalSettings, choose, evaluate, prepare, text_benchmark
from herd.evals.benchmarks.plain_text import pieces_of, read_whole_text
from herd.foundation import UserError


def test_pieces_hold_every_line_once() -> None:
    lines = [f"line {n}" for n in range(100)]
    pieces = pieces_of(lines, 200)
    assert "\n".join(pieces).split("\n") == lines and len(pieces) > 3


def test_bits_per_byte_are_those_of_the_log_likelihood(oracle: Callable, tmp_path: Path) -> None:
    text = "The quick brown fox\njumps over the lazy dog\n" * 40
    (tmp_path / "fable.txt").write_text(text)
    prepared = prepare([Chosen(benchmark=text_benchmark(tmp_path / "fable.txt"))], None)
    model = oracle(max_context=64)
    (report,) = evaluate(prepared, model, tmp_path / "out", settings=EvalSettings(), say=print)
    nats = 0.0
    for piece in pieces_of(text.rstrip("\n").split("\n")):
        ids = model.tokenizer.encode(piece)
        start = 0
        while start < len(ids):  # windows of 64, each token once, as the harness cuts them
            after = ids[start : start + 64]
            before = ids[:start] or [model.tokenizer.eos_id]
            from herd.evals import ToScore

            kept = tuple(before[-(65 - len(after)) :])
            nats -= sum(next(iter(model.scores([ToScore(kept, tuple(after))])))[1].logprobs)
            start += 64
    n_bytes = sum(len(p.encode()) for p in pieces_of(text.rstrip("\n").split("\n")))
    assert report.metric == "bits_per_byte"
    assert report.score == pytest.approx(nats / math.log(2) / n_bytes, rel=0.02)
    assert not report.measures[0].higher_is_better


def test_compressed_text_is_read_and_a_missing_one_refused(tmp_path: Path) -> None:
    with gzip.open(tmp_path / "a.txt.gz", "wt") as file:
        file.write("one\ntwo\n")
    assert read_whole_text(tmp_path / "a.txt.gz") == "one\ntwo"
    with pytest.raises(UserError, match="no such file"):
        read_whole_text(tmp_path / "b.txt")


def test_probes_are_the_same_every_time_and_need_no_files() -> None:
    prepared = prepare(choose(["probes"]), None)
    texts = [[doc["query"] for doc in run.task.eval_docs] for run in prepared.runs]
    assert texts == [
        [d["query"] for d in run.task.eval_docs] for run in prepare(choose(["probes"]), None).runs
    ]
    golds = [doc["gold"] for run in prepared.runs for doc in run.task.eval_docs]
    assert {golds.count(i) for i in range(4)} <= set(range(35, 90))  # no place is favoured
