"""One benchmark: whose prompts, which files, how many shots, which number counts.

In: a row of a table of benchmarks. Out: a task of lm-evaluation-harness over local files. Never: a prompt,
filter or metric of our own where the harness has one: `prompts` names its file, and only what stands in
`overrides` differs.
"""

from __future__ import annotations

import contextlib
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from functools import partial
from typing import TYPE_CHECKING, Any

from herd.evals.benchmarks.data_folder import DataFolder, Doc, FirstFile, Row
from herd.evals.benchmarks.harness_files import harness_config
from herd.foundation import UserError

if TYPE_CHECKING:
    from lm_eval.api.task import ConfigurableTask

Splits = dict[str, list[Doc]]
Read = Callable[[DataFolder], Splits]
FEWSHOT_SPLIT = "train"
ACCURACY = ({"metric": "acc", "aggregation": "mean", "higher_is_better": True},)
CHOICE_OF_ROW = {  # of documents that hold the whole prompt
    "output_type": "multiple_choice",
    "doc_to_text": "{{query}}",
    "doc_to_choice": "{{choices}}",
    "doc_to_target": "{{gold}}",
}
WITH_NORM = (*ACCURACY, {"metric": "acc_norm", "aggregation": "mean", "higher_is_better": True})


@dataclass(frozen=True, kw_only=True, slots=True)
class Benchmark:
    """A benchmark by name.

    `read` makes the splits (`test`, and `train` for few-shot examples) from a folder's files.
    `prompts` is a file of the installed harness (`arc/arc_easy.yaml`), "" for a task that `overrides`
    defines whole. `metric` is the headline, of `filter`'s answers. `cluster` names the field that
    questions about one passage share. `group` gathers tasks, whose mean is the group's. `chance` is
    what guessing scores. `version` changes whenever a score may. `code` marks answers to be run.
    Without `runs_harness_code` the helpers of `prompts`, whose imports want more, stay unread:
    `overrides` stands in for each. `note` tells what the report has to say on this machine.
    """

    name: str
    read: Read
    metric: str
    prompts: str = ""
    overrides: Mapping[str, Any] = field(default_factory=dict)
    shots: int = 0
    filter: str = "none"
    cluster: str = ""
    group: str = ""
    chance: float = 0.0
    version: int = 1
    needs_data: bool = True
    code: bool = False
    runs_harness_code: bool = True
    note: Callable[[], str] | None = None
    about: str = ""


def one_file(name: str, convert: Callable[[Row], Doc]) -> Read:
    """Return what reads a benchmark that is one file of questions."""
    return partial(_read_one, name, convert)


def _read_one(name: str, convert: Callable[[Row], Doc], data: DataFolder) -> Splits:
    return {"test": data.docs(name, convert)}


def first_file(benchmark: Benchmark) -> str:
    """Return the name of the file that a benchmark reads first, "" for one that needs none."""
    folder = FirstFile()
    with contextlib.suppress(UserError):
        if benchmark.needs_data:
            benchmark.read(folder)
    return folder.name


def build_task(benchmark: Benchmark, data: DataFolder) -> ConfigurableTask:
    """Return the harness's task over the benchmark's own files.

    Raises UserError for a file that is missing, damaged or empty.
    """
    from lm_eval.api.task import ConfigurableTask

    splits = benchmark.read(data)
    if not splits.get("test"):
        raise UserError(f"{benchmark.name}: no questions in its files")
    config = {}
    if benchmark.prompts:
        config = harness_config(benchmark.prompts, functions=benchmark.runs_harness_code)
    for name in ("dataset_path", "dataset_name", "tag", "task_alias", "validation_split"):
        config.pop(name, None)
    config |= {
        "task": benchmark.name,
        "custom_dataset": partial(_datasets, splits),
        "dataset_kwargs": None,
        "training_split": None,
        "test_split": "test",
        "fewshot_split": None,
        "num_fewshot": benchmark.shots,
        **benchmark.overrides,
    }
    if not (config.get("fewshot_config") or {}).get("samples"):  # a split would go before them
        config["fewshot_split"] = FEWSHOT_SPLIT if FEWSHOT_SPLIT in splits else "test"
    metadata = dict(config.get("metadata") or {})
    config["metadata"] = metadata | {"version": version_of(benchmark, metadata)}
    return ConfigurableTask(config=config)


def version_of(benchmark: Benchmark, metadata: Mapping[str, Any]) -> str:
    """Return the versions of the harness's prompts and of Herd's reading of the files."""
    theirs = metadata.get("version")
    return f"{theirs}+{benchmark.version}" if theirs is not None else str(benchmark.version)


def _datasets(splits: Splits, **_: Any) -> dict[str, Any]:
    import datasets

    return {name: datasets.Dataset.from_list(rows) for name, rows in splits.items() if rows}


def group_of(name: str, benchmarks: Sequence[Benchmark]) -> list[Benchmark]:
    """Return the tasks of a group, or the one task of this name."""
    return [one for one in benchmarks if name and name in (one.group, one.name)]
