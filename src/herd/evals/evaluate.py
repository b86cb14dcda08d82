"""An evaluation: tasks one after another on one model, each kept as soon as it is done.

In: what was chosen, data, a model. Out: a directory of results. Never: a task that failed counted as
nothing: it is named with the reason, and the others go on.
"""

from __future__ import annotations

import sys
from collections import Counter
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from herd.evals.answers.programs import RunPrograms
from herd.evals.benchmarks.benchmark import build_task
from herd.evals.benchmarks.catalogue import Chosen
from herd.evals.benchmarks.data_folder import DataFolder
from herd.evals.benchmarks.harness_files import harness_tasks
from herd.evals.benchmarks.stock import stock_tasks
from herd.evals.evaluated_model import EvaluatedModel
from herd.evals.harness_run import quiet_harness
from herd.evals.page import write_results_page
from herd.evals.report import EvalReport
from herd.evals.report_text import interval_text, number_text
from herd.evals.results import Results
from herd.evals.run_task import EvalSettings, TaskRun, run_task
from herd.foundation import UserError, cache_directory, format_seconds

Say = Callable[[str], None]


@dataclass(frozen=True, slots=True)
class Prepared:
    """Tasks that can run, and those that cannot, with the reason."""

    runs: tuple[TaskRun, ...]
    left_out: Mapping[str, str]


def prepare(
    chosen: Sequence[Chosen],
    data: Path | str | None,
    *,
    stock: Sequence[str] = (),
    include: Path | None = None,
    shots: int | None = None,
    limit: int | None = None,
) -> Prepared:
    """Read the files of all chosen benchmarks; `stock` names tasks of the harness or of `include`.

    One that was asked for by name and cannot run is a UserError; one of a suite is left out, with the
    reason. Raises UserError when nothing is left.
    """
    harness_tasks()  # says what is missing before anything is read
    DataFolder(data)
    runs, left_out = [], {}
    for one in chosen:
        folder = DataFolder(data)
        try:
            with quiet_harness():
                task = build_task(one.benchmark, folder)
            run = TaskRun(task, one.benchmark, one.limit, tuple(folder.malformed))
            _check_examples(run)
        except UserError as error:
            if not one.optional:
                raise UserError(f"{one.benchmark.name}: {error}") from error
            left_out[one.benchmark.name] = str(error)
            continue
        runs.append(run)
    for name in stock:
        with quiet_harness():
            found = stock_tasks(name, include, shots=shots)
        for task, benchmark in found:
            runs.append(TaskRun(task, benchmark, limit))
            _check_examples(runs[-1], f"{benchmark.name}: ")
    _check_names([run.benchmark.name for run in runs])
    if not runs:
        first, why = next(iter(left_out.items()), ("", "no task was chosen"))
        raise UserError(f"nothing to run: {first}{': ' if first else ''}{why}")
    return Prepared(tuple(runs), left_out)


def _check_names(names: Sequence[str]) -> None:
    for name in names:
        if "/" in name or "\\" in name or name.startswith(".") or not name.isprintable():
            raise UserError(f"a task's name becomes a file's, and {name!r} cannot: rename the task")
    twice = [name for name, n in Counter(names).items() if n > 1]
    if twice:
        raise UserError(f"there are two tasks named {twice[0]}: rename one, or its file")


def _check_examples(run: TaskRun, where: str = "") -> None:
    """Shots want examples: of their own split, or of the questions beside the one that is asked."""
    if not run.benchmark.shots:
        return
    config = run.task.config
    with quiet_harness():
        n = len(list(run.task.fewshot_docs()))
    n -= config.fewshot_split is not None and config.fewshot_split == config.test_split
    if n < run.benchmark.shots:
        raise UserError(
            f"{where}{run.benchmark.shots} shots, and its files hold {n} examples; lower --shots"
        )


def evaluate(
    prepared: Prepared,
    model: EvaluatedModel,
    out: Path | str,
    *,
    settings: EvalSettings | None = None,
    run_programs: RunPrograms | None = None,
    keep_answers: bool = True,
    say: Say | None = None,
) -> list[EvalReport]:
    """Run all tasks, write each into `out` as it ends, and return their reports.

    Answers are kept in the user's cache by model and task version unless `keep_answers` is False. Raises
    UserError when `out` holds another model's results, when a dialog is wanted of a model without a
    chat template, and when no task could be run.
    """
    settings = settings or EvalSettings()
    say = say or _say
    if settings.chat:
        model.chat_ids([{"role": "user", "content": "Hello"}])  # or one clear line now
    results = Results(out, fingerprint=model.fingerprint, name=model.name)
    kept_in = cache_directory() / "evals" if keep_answers else None
    reports, failed = [], dict(prepared.left_out)
    for number, run in enumerate(prepared.runs, 1):
        say(f"[{number}/{len(prepared.runs)}] {_announcement(run)}")
        report = results.find(run.benchmark.name, run.key(model, settings))
        if report is not None:
            say(f"  there already: {_line(report)}")
            reports.append(report)
            continue
        standing = results.standing(run.benchmark.name)
        if standing:
            say(f"  replaces {standing}")
        try:
            report, items = run_task(
                run, model, settings, cache_directory=kept_in, run_programs=run_programs
            )
        except UserError as error:
            failed[run.benchmark.name] = str(error)
            say(f"  not run: {error}")
            continue
        results.add(report, items)
        reports.append(report)
        say(f"  {_line(report)}, {format_seconds(report.seconds)}")
    if not reports:
        name, why = next(iter(failed.items()))
        raise UserError(f"no task could be run; {name}: {why}")
    results.write_summary(model.name, failed)
    write_results_page(results)
    return reports


def _announcement(run: TaskRun) -> str:
    n_docs = len(run.task.eval_docs)
    n_asked = min(run.limit or n_docs, n_docs)
    of_all = f" of {n_docs:,}" if n_asked < n_docs else ""
    shots = f", {run.benchmark.shots} shots" if run.benchmark.shots else ""
    return f"{run.benchmark.name}: {n_asked:,}{of_all} questions{shots}"


def _line(report: EvalReport) -> str:
    return (
        f"{report.metric} {number_text(report.score)} ({interval_text(report.ci_low, report.ci_high)}), "
        f"{report.n:,} questions"
    )


def _say(line: str) -> None:
    print(line, file=sys.stderr, flush=True)
