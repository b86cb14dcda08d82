"""Tasks of lm-evaluation-harness by their own names, over the hub's data, and a user's own task files.

In: names, a directory of YAML files. Out: tasks with what Herd has to know of them. Never: a task that
runs generated code by itself: those are run in Herd's sandbox or not at all.
"""

from __future__ import annotations

import difflib
from pathlib import Path
from typing import TYPE_CHECKING, Any

from herd.evals.benchmarks.benchmark import Benchmark, Splits
from herd.evals.benchmarks.data_folder import DataFolder
from herd.foundation import UserError

if TYPE_CHECKING:
    from lm_eval.api.task import Task

MOST_CHARS = 200


def stock_tasks(
    name: str, include: Path | None, *, shots: int | None = None
) -> list[tuple[Task, Benchmark]]:
    """Return the harness's tasks of this name: one, or those of a group or tag.

    Task files in `include` go before the harness's. Raises UserError for a name nobody knows, data that
    cannot be fetched, a file that makes no task, or a task that runs code.
    """
    if include is not None and not include.is_dir():
        raise UserError(f"--include {include}: no such directory")
    tasks = _load(name, include)
    found = []
    for one, task in tasks.items():
        if getattr(task, "UNSAFE_CODE", False):
            raise UserError(
                f"{one} runs generated code outside of any sandbox: use humaneval or mbpp, whose "
                "programs Herd runs in its own"
            )
        if shots is not None:
            task.set_config(key="num_fewshot", value=shots)
        found.append((task, _described(one, name if len(tasks) > 1 else "", task)))
    return found


def _load(name: str, include: Path | None) -> dict[str, Any]:
    from lm_eval.tasks import TaskManager

    managers = []
    if include is not None:
        managers.append(TaskManager(include_path=str(include), include_defaults=False))
    if not (managers and name in managers[0].all_tasks):
        managers.append(TaskManager(include_path=str(include) if include else None))
    manager = managers[-1] if name in managers[-1].all_tasks else managers[0]
    if name not in manager.all_tasks:
        near = difflib.get_close_matches(name, managers[-1].all_tasks, n=1)
        hint = f"did you mean {near[0]}? " if near else ""
        raise UserError(
            f"there is no task {name!r}, neither here nor in lm-evaluation-harness; {hint}"
            "herd eval --list names ours"
        )
    try:
        tasks: dict[str, Any] = manager.load([name])["tasks"]
    except ImportError as error:
        raise UserError(f"{name} needs a library that is not installed: {_short(error)}") from error
    except Exception as error:  # whatever a strange file or a hub that is away may raise
        raise UserError(
            f"{name} cannot be set up here ({_short(error)}): a task of lm-evaluation-harness has its data or "
            "metric from the hub, which has to be in reach; one of your own may have a mistake in its file"
        ) from error
    return tasks


def _described(name: str, group: str, task: Any) -> Benchmark:
    metrics = list(task.aggregation())
    shots = int(task.get_config("num_fewshot") or 0)
    return Benchmark(
        name=name, read=_no_files, metric=metrics[0] if metrics else "", shots=shots, group=group,
        needs_data=False, about="a task of lm-evaluation-harness",
    )  # fmt: skip


def _no_files(data: DataFolder) -> Splits:
    raise AssertionError("a task of the harness reads its own data")


def _short(error: Exception) -> str:
    text = " ".join(str(error).split()) or type(error).__name__
    return f"{type(error).__name__}: {text[:MOST_CHARS]}"
