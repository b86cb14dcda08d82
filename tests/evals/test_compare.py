"""Comparisons: the same questions, paired, and what was not shared is said."""

import json
from collections.abc import Callable
from pathlib import Path

import pytest

from herd.evals import (
    Results,
    choose,
    compare_runs,
    comparison_json,
    comparison_page,
    evaluate,
    prepare,
    show_comparison,
)
from herd.foundation import UserError

from .conftest import OracleModel, write_rows

SUMS = {f"Question: What is {n} plus {n}?\nAnswer:": str(2 * n) for n in range(10, 34)}


@pytest.fixture
def two_runs(bench: Path, oracle: Callable[..., OracleModel], tmp_path: Path) -> list[Path]:
    for name, knows in (("clever", SUMS), ("half", dict(list(SUMS.items())[:4]))):
        prepared = prepare(choose(["arc_easy", "piqa"]), bench)
        evaluate(prepared, oracle(knows), tmp_path / name, say=lambda line: None)
    return [tmp_path / "half", tmp_path / "clever"]


def test_a_difference_is_second_minus_first_over_shared_questions(two_runs: list[Path]) -> None:
    (row,) = compare_runs(two_runs)["against"]
    by_task = {one.task: one for one in row["differences"]}
    scores = [
        {one.task: one.score for one in Results(run).reports()}["arc_easy"] for run in two_runs
    ]
    assert by_task["arc_easy"].difference.score == pytest.approx(scores[1] - scores[0])
    assert by_task["arc_easy"].is_significant
    assert by_task["piqa"].difference.score == 0 and not by_task["piqa"].is_significant


def test_swapping_the_runs_mirrors_the_differences(two_runs: list[Path]) -> None:
    (there,) = compare_runs(two_runs)["against"]
    (back,) = compare_runs(two_runs[::-1])["against"]
    for one, other in zip(there["differences"], back["differences"], strict=True):
        assert one.difference.score == pytest.approx(-other.difference.score)
        assert one.difference.low == pytest.approx(-other.difference.high)


def test_a_comparison_is_shown_and_is_plain_json(two_runs: list[Path]) -> None:
    import io

    from rich.console import Console

    comparison = compare_runs(two_runs)
    console = Console(file=io.StringIO(), width=160)
    show_comparison(comparison, console)
    assert "differs" in console.file.getvalue()  # type: ignore[attr-defined]
    assert json.loads(json.dumps(comparison_json(comparison)))["against"][0]["differences"]


def test_the_page_shows_the_questions_that_are_answered_otherwise(two_runs: list[Path]) -> None:
    page = comparison_page(compare_runs(two_runs))
    (row,) = compare_runs(two_runs)["against"]
    by_task = {one.task: one for one in row["differences"]}
    n_changed = round(by_task["arc_easy"].difference.score * by_task["arc_easy"].difference.n)
    assert page.count('data-column="arc_easy, question"') == min(n_changed, 20) > 0
    assert "piqa, question" not in page


def test_questions_of_one_run_only_are_counted(
    two_runs: list[Path], bench: Path, oracle: Callable[..., OracleModel], tmp_path: Path
) -> None:
    prepared = prepare(choose(["arc_easy"], limit=5), bench)
    evaluate(prepared, oracle({"a": "b"}), tmp_path / "few", say=lambda line: None)
    (row,) = compare_runs([two_runs[0], tmp_path / "few"])["against"]
    assert row["differences"][0].n_unpaired == 19
    assert row["differences"][0].note == "limits none and 5" and row["unshared"] == ["piqa"]


def test_a_group_has_the_mean_of_its_tasks_differences(
    bench: Path, oracle: Callable[..., OracleModel], tmp_path: Path
) -> None:
    for name, knows in (("one", {}), ("two", {"x": "y"})):
        prepared = prepare(choose(["probes"]), bench)
        evaluate(prepared, oracle(knows), tmp_path / name, say=lambda line: None)
    (row,) = compare_runs([tmp_path / "one", tmp_path / "two"])["against"]
    (group,), tasks = row["groups"], row["differences"]
    assert (group.task, group.note) == ("probes", "3 tasks")
    assert group.first == pytest.approx(sum(one.first for one in tasks) / 3)
    summary = json.loads((tmp_path / "one" / "results.json").read_text())
    assert summary["groups"]["probes"]["score"] == pytest.approx(group.first)


def test_what_cannot_be_compared_is_one_line(two_runs: list[Path], tmp_path: Path) -> None:
    with pytest.raises(UserError, match="two directories of results or more"):
        compare_runs(two_runs[:1])
    with pytest.raises(UserError, match="holds no results"):
        compare_runs([two_runs[0], tmp_path / "empty"])
    items = two_runs[1] / "items" / "arc_easy.jsonl"
    items.write_text(items.read_text()[:-30])
    with pytest.raises(UserError, match=r"arc_easy.jsonl, line 24: damaged"):
        compare_runs(two_runs)


def test_a_question_that_a_file_asks_twice_counts_twice(
    bench: Path, oracle: Callable[..., OracleModel], tmp_path: Path
) -> None:
    row = {"query": "Question: How?", "choices": ["so", "thus"], "gold": 0}
    write_rows(bench / "piqa.jsonl.gz", [row, row, {**row, "query": "Question: Why?"}])
    evaluate(prepare(choose(["piqa"]), bench), oracle(), tmp_path / "o", say=lambda line: None)
    (against,) = compare_runs([tmp_path / "o", tmp_path / "o"])["against"]
    assert against["differences"][0].difference.n == 3
