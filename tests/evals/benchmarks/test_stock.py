"""Tasks of the harness and of a user's own files."""

import json
from pathlib import Path

import pytest

from herd.evals import prepare
from herd.evals.benchmarks.stock import stock_tasks
from herd.foundation import UserError


def write_task(folder: Path, name: str, **more: object) -> None:
    rows = folder / "rows.jsonl"
    rows.write_text(json.dumps({"q": "The sky is", "c": ["blue", "green"]}) + "\n")
    config = {
        "task": name,
        "dataset_path": "json",
        "dataset_kwargs": {"data_files": {"test": str(rows)}},
        "test_split": "test",
        "output_type": "multiple_choice",
        "doc_to_text": "{{q}}",
        "doc_to_choice": "{{c}}",
        "doc_to_target": 0,
        **more,
    }
    (folder / f"{Path(name).name}.yaml").write_text(json.dumps(config))


def test_a_task_file_of_ones_own_is_found(tmp_path: Path) -> None:
    write_task(tmp_path, "mine")
    ((task, benchmark),) = stock_tasks("mine", tmp_path, shots=0)
    assert (benchmark.name, benchmark.metric, len(task.eval_docs)) == ("mine", "acc", 1)


def test_a_task_that_runs_code_by_itself_is_refused(tmp_path: Path) -> None:
    write_task(tmp_path, "unsafe", unsafe_code=True)
    with pytest.raises(UserError, match="outside of any sandbox"):
        stock_tasks("unsafe", tmp_path)


def test_a_file_that_makes_no_task_and_a_directory_that_is_not_there(tmp_path: Path) -> None:
    write_task(tmp_path, "broken", dataset_kwargs={"data_files": {"test": "nowhere.jsonl"}})
    with pytest.raises(UserError, match="broken cannot be set up here"):
        stock_tasks("broken", tmp_path)
    with pytest.raises(UserError, match="no such directory"):
        stock_tasks("mine", tmp_path / "nowhere")


@pytest.mark.slow
def test_a_name_nobody_knows_gets_the_nearest_one(tmp_path: Path) -> None:
    with pytest.raises(UserError, match="did you mean sciq"):
        stock_tasks("sciqq", None)


def test_a_name_that_leads_elsewhere_is_refused(tmp_path: Path) -> None:
    write_task(tmp_path, "../evil")
    with pytest.raises(UserError, match="'../evil' cannot: rename the task"):
        prepare([], None, stock=["../evil"], include=tmp_path)
