"""Contamination joined to scores: the gain is what was planted, and few questions give none."""

import json
from collections.abc import Callable
from pathlib import Path

import pytest

from herd.data import CurationRecipe, SourceConfig, curate
from herd.evals import choose, contaminated_scores, evaluate, prepare, show_contaminated
from herd.foundation import UserError

from .conftest import OracleModel, write_rows

N = 120
QUESTION = "Question: In the old harbour town a keeper of bees asks the miller number {n} how many jars of honey he needs"


@pytest.fixture
def corpus(tmp_path: Path) -> Path:
    """A corpus that holds the first half of the questions word by word."""
    source = tmp_path / "pages"
    source.mkdir()
    rows = [{"text": QUESTION.format(n=n) + f", and he says honey {n}."} for n in range(N // 2)]
    (source / "a.jsonl").write_text("".join(json.dumps(row) + "\n" for row in rows))
    recipe = CurationRecipe(
        name="planted", sources=(SourceConfig(location=str(source)),), stages=()
    )
    curate(recipe, tmp_path / "corpus")
    return tmp_path / "corpus"


@pytest.fixture
def runs(tmp_path: Path, oracle: Callable[..., OracleModel]) -> list[Path]:
    """A model that knows what it has seen, and one that knows nothing more of it than of the rest."""
    data = tmp_path / "data"
    write_rows(
        data / "piqa.jsonl.gz",
        [
            {"query": QUESTION.format(n=n), "choices": [f"honey {n}", f"wax {n}"], "gold": 0}
            for n in range(N)
        ],
    )
    prompts = [QUESTION.format(n=n) + "\nAnswer:" for n in range(N)]
    answers = {"seen": [f"honey {n}" if n < 60 or n % 2 else f"wax {n}" for n in range(N)]}
    answers["fair"] = [f"honey {n}" if n % 4 else f"wax {n}" for n in range(N)]
    for name, own in answers.items():
        model = oracle(dict(zip(prompts, own, strict=True)))
        model.name = name  # type: ignore[misc]
        evaluate(prepare(choose(["piqa"]), data), model, tmp_path / name, say=lambda line: None)
    return [tmp_path / "seen", tmp_path / "fair"]


def test_the_gain_is_that_of_the_questions_that_were_seen(runs: list[Path], corpus: Path) -> None:
    (row,) = contaminated_scores(runs, corpus)
    assert row["contaminated"] == pytest.approx(0.5)
    seen, fair = row["models"]["seen"], row["models"]["fair"]
    assert (seen["all"], seen["clean"], seen["dirty"]) == (0.75, 0.5, 1.0)
    assert seen["gain"] == pytest.approx(0.25) and seen["gain"] - seen["half_width"] > 0
    assert fair["gain"] == pytest.approx(0, abs=0.01)
    assert row["verdict"] == "significant"


def test_the_rows_are_shown_and_are_plain_json(runs: list[Path], corpus: Path) -> None:
    import io

    from rich.console import Console

    rows = contaminated_scores(runs[:1], corpus)
    console = Console(file=io.StringIO(), width=160)
    show_contaminated(rows, console)
    assert "+0.250" in console.file.getvalue()  # type: ignore[attr-defined]
    json.dumps(rows)


def test_runs_without_results_are_refused(runs: list[Path], corpus: Path, tmp_path: Path) -> None:
    with pytest.raises(UserError, match="holds no results"):
        contaminated_scores([runs[0], tmp_path / "nothing"], corpus)
    with pytest.raises(UserError):
        contaminated_scores(runs, tmp_path / "no corpus")
