"""An evaluation from files to results: right, resumable, and the same however it is cut."""

import gzip
import json
import math
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from herd.evals import (
    Chosen,
    EvalReport,
    EvalSettings,
    Results,
    choose,
    evaluate,
    prepare,
    text_benchmark,
)
from herd.evals.benchmarks.benchmark import build_task
from herd.evals.benchmarks.data_folder import DataFolder
from herd.evals.harness_run import harness_model, harness_samples, quiet_harness
from herd.evals.items import items_of
from herd.foundation import UserError, cache_directory

from .conftest import OracleModel, write_rows


def run(
    names: list[str], bench: Path | None, model: OracleModel, out: Path, **settings: Any
) -> dict[str, EvalReport]:
    prepared = prepare(choose(names, limit=settings.pop("limit", None)), bench)
    more = {key: settings.pop(key) for key in ("run_programs", "keep_answers") if key in settings}
    reports = evaluate(
        prepared, model, out, settings=EvalSettings(**settings), say=lambda line: None, **more
    )
    return {report.task: report for report in reports}


SUMS = {f"Question: What is {n} plus {n}?\nAnswer:": str(2 * n) for n in range(10, 34)}


def test_a_model_that_knows_everything_scores_everything(
    bench: Path, oracle: Callable[..., OracleModel], tmp_path: Path
) -> None:
    report = run(["arc_easy"], bench, oracle(SUMS), tmp_path / "out")["arc_easy"]
    assert (report.score, report.n, report.ci_high) == (1.0, 24, 1.0)
    assert report.ci_low == pytest.approx(0.862, abs=2e-3)
    assert report.prompt == "Question: What is 10 plus 10?\nAnswer:"
    assert {one.metric for one in report.measures} == {"acc", "acc_norm"}


def test_scores_are_those_that_the_harness_gives_itself(
    bench: Path, oracle: Callable[..., OracleModel], tmp_path: Path
) -> None:
    model = oracle()
    names = ["arc_easy", "piqa", "winogrande", "gsm8k", "mmlu_anatomy"]
    reports = run(names, bench, model, tmp_path / "out")
    for (chosen,) in (choose([name]) for name in names):
        with quiet_harness():
            task = build_task(chosen.benchmark, DataFolder(bench))
        samples = harness_samples(task, harness_model(model))
        for measure in reports[chosen.benchmark.name].measures:
            own = [one[measure.metric] for one in samples if one["filter"] == measure.filter]
            assert measure.score == pytest.approx(sum(own) / len(own))


def test_an_interrupted_run_goes_on_and_ends_as_an_uninterrupted_one(
    bench: Path, oracle: Callable[..., OracleModel], tmp_path: Path
) -> None:
    whole = run(["arc_easy", "piqa"], bench, oracle(), tmp_path / "whole", keep_answers=False)
    cut = oracle()
    cut.fails_after = 70
    with pytest.raises(KeyboardInterrupt):
        run(["arc_easy", "piqa"], bench, cut, tmp_path / "cut")
    cut.fails_after, cut.n_scored = None, 0
    resumed = run(["arc_easy", "piqa"], bench, cut, tmp_path / "cut")
    assert cut.n_scored == 24 * 4 + 12 * 2 - 70
    for task, report in whole.items():
        assert replace(resumed[task], seconds=0) == replace(report, seconds=0)


def test_what_is_done_is_not_run_again_and_what_changed_is(
    bench: Path, oracle: Callable[..., OracleModel], tmp_path: Path
) -> None:
    model, out = oracle(), tmp_path / "out"
    run(["piqa"], bench, model, out)
    n_before = model.n_scored
    run(["piqa"], bench, model, out)
    assert model.n_scored == n_before
    assert run(["piqa"], bench, model, out, limit=4)["piqa"].n == 4
    assert model.n_scored == n_before  # the answers themselves were known
    assert run(["piqa"], bench, model, tmp_path / "new", keep_answers=False)["piqa"].n == 12
    assert model.n_scored == 2 * n_before


@pytest.mark.parametrize("name", ["gsm8k_test.jsonl.gz", "gsm8k_train.jsonl.gz"])
def test_a_file_that_changed_under_its_name_is_run_again(
    name: str, bench: Path, oracle: Callable[..., OracleModel], tmp_path: Path
) -> None:
    model, out = oracle(), tmp_path / "out"
    first = run(["gsm8k"], bench, model, out)["gsm8k"]
    assert run(["gsm8k"], bench, model, out)["gsm8k"].key == first.key
    n = 6 if "test" in name else 7
    rows = [{"question": f"What is {i} plus 2?", "answer": f"#### {i + 2}"} for i in range(n)]
    write_rows(bench / name, rows)
    n_before = model.n_continued
    assert run(["gsm8k"], bench, model, out)["gsm8k"].key != first.key
    assert model.n_continued > n_before


def test_the_order_of_questions_in_a_file_does_not_change_a_score(
    bench: Path, oracle: Callable[..., OracleModel], tmp_path: Path
) -> None:
    rows = [
        {"query": f"Question: How to use {n}?\n", "choices": [f"by hand {n}", f"by foot {n}"], "gold": n % 2}
        for n in range(12)
    ]  # fmt: skip
    model = oracle()
    first = run(["piqa"], bench, model, tmp_path / "first")["piqa"]
    write_rows(bench / "piqa.jsonl.gz", rows[::-1])
    second = run(["piqa"], bench, model, tmp_path / "second", keep_answers=False)["piqa"]
    assert [m.score for m in first.measures] == [m.score for m in second.measures]
    ids = [
        [item["id"] for item in Results(tmp_path / one).items("piqa")]
        for one in ("first", "second")
    ]
    assert sorted(ids[0]) == sorted(ids[1])


def test_malformed_rows_are_counted_and_named(
    bench: Path, oracle: Callable[..., OracleModel], tmp_path: Path
) -> None:
    rows = [
        '{"query": ',
        {"query": "Question: x", "choices": ["a", "b"], "gold": 7},
        {"query": "?"},
    ]
    good = {"query": "Question: How?", "choices": ["so", "thus"], "gold": 0}
    half = {**good, "query": "Question: \ud800?"}  # half a surrogate pair
    write_rows(bench / "piqa.jsonl.gz", [*rows, good, half])
    report = run(["piqa"], bench, oracle(), tmp_path / "out")["piqa"]
    assert (report.n, report.n_malformed) == (1, 4)
    assert "row 5: 'utf-8' codec" in report.notes[0]
    assert "4 malformed rows left out: piqa.jsonl.gz, row 1: no JSON" in report.notes[0]
    assert "row 2: gold is 7 of 2 choices" in report.notes[0]
    assert "row 3: no field 'choices'" in report.notes[0]


def test_a_benchmark_without_its_file_is_refused_by_name_and_left_out_of_a_suite(
    bench: Path, oracle: Callable[..., OracleModel], tmp_path: Path
) -> None:
    with pytest.raises(
        UserError, match=r"boolq: there is no file boolq.jsonl.gz in .*bench or below"
    ):
        prepare(choose(["boolq"]), bench)
    with pytest.raises(UserError, match="arc_easy: arc_easy.jsonl.gz is needed: .* with --data"):
        prepare(choose(["arc_easy"]), None)
    prepared = prepare(choose(["smoke"]), bench)
    assert {run.benchmark.name for run in prepared.runs} >= {
        "probe_facts",
        "arc_easy",
        "winogrande",
    }
    assert "hellaswag" in prepared.left_out
    with pytest.raises(UserError, match="no such directory"):
        prepare(choose(["arc_easy"]), tmp_path / "nowhere")


@pytest.mark.parametrize(
    ("content", "words"),
    [
        (b"\x1f\x8b not gzip", "damaged or truncated"),
        (gzip.compress(b"{}" * 999)[:12] + b"x" * 99, "damaged or truncated"),
        (b"", "not one of 0 rows can be used"),
        (b"[1]\n[2]\n", "not one of 2 rows can be used.*no JSON object"),
    ],
)
def test_a_damaged_file_is_one_line_that_names_it(bench: Path, content: bytes, words: str) -> None:
    import gzip

    path = bench / "piqa.jsonl.gz"
    path.write_bytes(content if content.startswith(b"\x1f") else gzip.compress(content))
    with pytest.raises(UserError, match=rf"(?s)piqa.*{words}"):
        prepare(choose(["piqa"]), bench)


def test_a_dialog_is_asked_of_models_that_know_dialogs_only(
    bench: Path, oracle: Callable[..., OracleModel], tmp_path: Path
) -> None:
    model = oracle()
    report = run(["gsm8k"], bench, model, tmp_path / "chat", chat=True)["gsm8k"]
    assert (
        report.chat and report.prompt.startswith("[user]") and report.prompt.endswith("[assistant]")
    )
    model.has_template = False
    with pytest.raises(UserError, match="no chat template"):
        run(["gsm8k"], bench, model, tmp_path / "base", chat=True)


def test_two_models_never_share_a_directory(
    bench: Path, oracle: Callable[..., OracleModel], tmp_path: Path
) -> None:
    run(["piqa"], bench, oracle(), tmp_path / "out")
    with pytest.raises(UserError, match="another model"):
        run(["piqa"], bench, oracle({"x": "y"}), tmp_path / "out")


def test_a_task_that_fails_is_named_and_the_others_go_on(
    bench: Path, oracle: Callable[..., OracleModel], tmp_path: Path
) -> None:
    said: list[str] = []
    prepared = prepare(choose(["gsm8k", "piqa"]), bench)
    small = oracle(max_context=200)  # no room for 256 new tokens
    reports = evaluate(prepared, small, tmp_path / "out", say=said.append)
    assert [one.task for one in reports] == ["piqa"]
    assert any("not run: the task asks for 256 new tokens" in line for line in said)
    summary = json.loads((tmp_path / "out" / "results.json").read_text())
    assert "gsm8k" in summary["not_run"]
    with pytest.raises(UserError, match="no task could be run; gsm8k"):
        evaluate(prepare(choose(["gsm8k"]), bench), small, tmp_path / "none", say=said.append)


def test_prompts_that_do_not_fit_are_cut_at_their_left_and_counted(
    bench: Path, oracle: Callable[..., OracleModel], tmp_path: Path
) -> None:
    report = run(["arc_easy"], bench, oracle(max_context=16), tmp_path / "out")["arc_easy"]
    assert "prompts did not fit the context" in report.notes[0]


def test_answers_of_100000_characters_are_kept_and_shown(
    bench: Path, oracle: Callable[..., OracleModel], tmp_path: Path
) -> None:
    knows = {f"What is {n} plus 1?\nAnswer:": "9 " * 50_000 for n in range(100, 106)}
    report = run(["gsm8k"], bench, oracle(knows), tmp_path / "out")["gsm8k"]
    assert report.score == 0
    items = list(Results(tmp_path / "out").items("gsm8k"))
    assert len(items[0]["answers"][0]) == 100_000


def test_items_hold_prompt_choices_likelihoods_target_and_scores(
    bench: Path, oracle: Callable[..., OracleModel]
) -> None:
    (chosen,) = choose(["winogrande"])
    with quiet_harness():
        task = build_task(chosen.benchmark, DataFolder(bench))
    items = items_of(harness_samples(task, harness_model(oracle())), "option1")
    assert [item["number"] for item in items] == list(range(10))
    assert items[0]["choices"] == [" ran away.", " ran away."] and len(items[0]["prompts"]) == 2
    assert items[0]["cluster"] == "fox"
    assert set(items[0]["scores"]) == {"acc,none"}
    json.dumps(items)


def test_a_result_whose_items_were_damaged_is_made_again(
    bench: Path, oracle: Callable[..., OracleModel], tmp_path: Path
) -> None:
    out = tmp_path / "out"
    run(["piqa"], bench, oracle(), out)
    items = out / "items" / "piqa.jsonl"
    whole = items.read_bytes()
    for content in (whole[:-20], b"", b"\xff\n" + whole, b"[" * 100_000, b"{}\n" * 12):
        items.write_bytes(content)
        run(["piqa"], bench, oracle(), out)
        assert items.read_bytes() == whole


@pytest.mark.parametrize(
    "change",
    [{"score": "high"}, {"task": "../../evil"}, {"n": None}, {"measures": [5]}, {"prompt": 5}],
    ids=str,
)
def test_a_report_that_is_none_is_one_line(
    change: dict[str, Any], bench: Path, oracle: Callable[..., OracleModel], tmp_path: Path
) -> None:
    out = tmp_path / "out"
    run(["piqa"], bench, oracle(), out)
    path = out / "tasks" / "piqa.json"
    path.write_text(json.dumps(json.loads(path.read_text()) | change))
    with pytest.raises(UserError, match="piqa.json is no report of a task"):
        run(["piqa"], bench, oracle(), out)


def test_what_a_damaged_cache_holds_in_the_place_of_an_answer_is_asked_again(
    bench: Path, oracle: Callable[..., OracleModel], tmp_path: Path
) -> None:
    first = run(["piqa", "gsm8k"], bench, oracle(), tmp_path / "first")
    for path in (cache_directory() / "evals").rglob("*.jsonl"):
        rows = [json.loads(line) for line in path.read_text().splitlines()]
        bad = [{**row, "answer": "?"} for row in rows] + [{"key": [], "answer": 1}]
        path.write_text("[" * 100_000 + "\n" + "".join(json.dumps(row) + "\n" for row in bad))
    second = run(["piqa", "gsm8k"], bench, oracle(), tmp_path / "second")
    assert all(second[name].score == report.score for name, report in first.items())


def test_more_shots_than_examples_are_refused_before_anything_runs(bench: Path) -> None:
    prepare(choose(["gsm8k"], shots=7), bench)
    with pytest.raises(UserError, match="gsm8k: 8 shots, and its files hold 7 examples"):
        prepare(choose(["gsm8k"], shots=8), bench)
    with pytest.raises(UserError, match="piqa: 12 shots, and its files hold 11 examples"):
        prepare(choose(["piqa"], shots=12), bench)
    in_suite = prepare(choose(["smoke"], shots=12), bench)
    assert in_suite.left_out["piqa"].startswith("12 shots, and its files hold 11 examples")


def test_labels_and_texts_of_another_kind_are_malformed_and_not_guessed(bench: Path) -> None:
    good = {"query": "Question: How?", "choices": ["so", "thus"], "gold": 0}
    odd: list[dict[str, Any]] = [
        {"gold": 0.9},
        {"gold": True},
        {"query": None},
        {"choices": {"x": 1, "y": 2}},
    ]
    infinite = json.dumps(good).replace(": 0}", ": Infinity}")
    write_rows(bench / "piqa.jsonl.gz", [good, *({**good, **one} for one in odd), infinite])
    (prepared,) = prepare(choose(["piqa"]), bench).runs
    assert len(prepared.malformed) == 5


def test_two_tasks_of_one_name_are_refused(tmp_path: Path) -> None:
    texts = [tmp_path / one / "book.txt" for one in "ab"]
    for path in texts:
        path.parent.mkdir()
        path.write_text("Once upon a time.\n")
    chosen = [Chosen(benchmark=text_benchmark(path)) for path in texts]
    with pytest.raises(UserError, match="two tasks named text_book"):
        prepare(chosen, None)


def test_a_perplexity_beyond_all_numbers_is_kept_and_shown(
    oracle: Callable[..., OracleModel], tmp_path: Path
) -> None:
    """Text without spaces is one word, and e to its nats may be no float."""
    text = tmp_path / "long.txt"
    text.write_text("".join(chr(0x4E00 + 37 * n % 5000) for n in range(3000)))
    prepared = prepare([Chosen(benchmark=text_benchmark(text))], None)
    for _ in range(2):  # the second time it is read back
        (report,) = evaluate(prepared, oracle(), tmp_path / "out", say=lambda line: None)
        assert {one.metric: one.score for one in report.measures}["word_perplexity"] == math.inf
    assert "Infinity" not in (tmp_path / "out" / "results.json").read_text()
