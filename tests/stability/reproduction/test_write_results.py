"""What is written can be read again, merges with what was there, and says what the checks say."""

import csv
import io
import json
import math
from pathlib import Path

import numpy as np
import pytest

from herd.foundation import UserError
from herd.stability.reproduction import experiments
from herd.stability.reproduction.figure_style import as_png, as_svg, panels
from herd.stability.reproduction.intervals import Estimate
from herd.stability.reproduction.result import (
    Check,
    Drawing,
    ExperimentResult,
    Table,
    conclude,
)
from herd.stability.reproduction.write_results import table_as_csv, table_as_markdown, write_results

TABLE = Table(
    name="sizes",
    caption="Sizes",
    columns=("a|b", "measured", "plain"),
    rows=(
        ("x", Estimate(1.5, 1.0, 2.0, 4), np.float64(0.25)),
        ("y", Estimate(2.0, math.nan, math.nan, 1), None),
        ("z", Estimate(math.nan, math.nan, math.nan, 0), True),
    ),
)
HELD = Check(name="h", expected="1", measured="1", holds=np.bool_(True), so="It is so.")
FAILED = Check(name="f", expected="2", measured="3", holds=False, else_="It is otherwise.")


def an_experiment(name: str = "R9", checks: tuple[Check, ...] = (HELD, FAILED)) -> ExperimentResult:
    return ExperimentResult(
        name=name,
        question="Why?",
        tables=(TABLE,),
        drawings=(
            Drawing(name="line", caption="A line", draw=lambda: panels(1, 1, height_inches=2)[0]),
        ),
        checks=checks,
        conclusion=conclude(checks),
        seconds=1.0,
        seeds=(0, 1),
    )


def test_the_conclusion_says_what_was_shown_and_what_was_not() -> None:
    assert conclude([HELD, FAILED]) == (
        "1 of 2 checks hold. It is so. Not shown here, or shown otherwise: It is otherwise."
    )
    assert conclude([HELD]) == "1 of 1 checks hold. It is so."
    bare = Check(name="g", expected="2", measured="3", holds=False)
    assert "g: expected 2, measured 3." in conclude([bare])


def test_a_table_of_the_wrong_width_is_refused() -> None:
    with pytest.raises(ValueError, match="table t"):
        Table(name="t", caption="", columns=("a",), rows=((1, 2),))


def test_a_measured_column_becomes_four_in_csv() -> None:
    rows = list(csv.DictReader(io.StringIO(table_as_csv(TABLE))))
    assert rows[0]["measured"] == "1.5" and rows[0]["measured high"] == "2"
    assert rows[0]["plain"] == "0.25" and rows[1]["plain"] == ""


def test_markdown_shows_the_interval_and_escapes_bars() -> None:
    text = table_as_markdown(TABLE)
    assert "1.5 [1, 2]" in text and "a\\|b" in text and "| y | 2 |" in text and "| z | - |" in text
    assert {line.replace("\\|", "").count("|") for line in text.splitlines()} == {4}


def test_files_are_written_and_a_later_experiment_joins_them(tmp_path: Path) -> None:
    write_results(an_experiment("R9"), tmp_path)
    write_results(an_experiment("R1"), tmp_path)
    text = (tmp_path / "RESULTS.md").read_text()
    assert text.index("## R1") < text.index("## R9")
    results = json.loads((tmp_path / "results.json").read_text())
    assert results["experiments"]["R9"]["checks"][0]["holds"] is True
    assert results["experiments"]["R9"]["tables"]["sizes"]["rows"][2][1]["mean"] is None
    names = sorted(path.name for path in tmp_path.iterdir())
    assert "R9-line.svg" in names and "R9-sizes.csv" in names
    assert not [name for name in names if "partial" in name]


def test_running_again_replaces_a_section(tmp_path: Path) -> None:
    write_results(an_experiment(), tmp_path)
    write_results(an_experiment(checks=(HELD,)), tmp_path)
    text = (tmp_path / "RESULTS.md").read_text()
    assert text.count("## R9") == 1 and "otherwise" not in text


def test_another_programs_results_are_not_overwritten(tmp_path: Path) -> None:
    (tmp_path / "results.json").write_text("[]")
    with pytest.raises(UserError, match="another directory"):
        write_results(an_experiment(), tmp_path)


def test_drawings_repeat_byte_for_byte_at_900_pixels() -> None:
    first, again = (as_svg(panels(1, 2, height_inches=3)[0], "salt") for _ in range(2))
    assert first == again
    width = int.from_bytes(as_png(panels(1, 1, height_inches=3)[0])[16:20], "big")
    assert width == 900


@pytest.mark.parametrize(
    ("names", "n_seeds", "message"),
    [
        (["R7"], 20, "no experiment"),
        (["leage"], 20, "did you mean league"),
        (["R0"], 1, "at least 2"),
    ],
)
def test_what_cannot_be_run_is_refused_before_anything_runs(
    names: list[str], n_seeds: int, message: str, tmp_path: Path
) -> None:
    with pytest.raises(UserError, match=message):
        experiments.reproduce(names, tmp_path / "out", n_seeds=n_seeds)
    assert not (tmp_path / "out").exists()


def test_experiments_run_once_each_by_any_case(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    ran: list[int] = []

    def run(n_seeds: int, progress: object) -> ExperimentResult:
        ran.append(n_seeds)
        return an_experiment("R0")

    monkeypatch.setattr(experiments, "EXPERIMENTS", {"R0": run})
    told: list[str] = []
    results = experiments.reproduce(["r0", "R0"], tmp_path, n_seeds=3, progress=told.append)
    assert [result.name for result in results] == ["R0"] and ran == [3]
    assert (tmp_path / "RESULTS.md").exists() and told
