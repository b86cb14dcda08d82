"""One task on one model: prompts, answers, scores with intervals.

In: a task of the harness, a model, settings. Out: an `EvalReport` and its items. Never: a score without
the number of questions it is of; what was skipped, cut or unfinished left unsaid.
"""

from __future__ import annotations

import hashlib
import json
import time
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from herd.evals.answer_cache import AnswerCache
from herd.evals.answers.programs import RunPrograms, score_programs
from herd.evals.benchmarks.benchmark import Benchmark
from herd.evals.benchmarks.code import program_of
from herd.evals.evaluated_model import EvaluatedModel
from herd.evals.harness_run import FEWSHOT_SEED, harness_samples
from herd.evals.intervals import mean_interval
from herd.evals.items import Item, items_of
from herd.evals.measures import measures_of
from herd.evals.report import EvalReport, Measure
from herd.foundation import UserError

if TYPE_CHECKING:
    from lm_eval.api.task import Task

    from herd.evals.harness_model import HarnessModel, Noticed

FORMAT = 1  # raise it when a stored result would mean something else
SHOWN_MALFORMED = 5


@dataclass(frozen=True, kw_only=True, slots=True)
class EvalSettings:
    """How tasks are run. `seed` draws few-shot examples and sampled answers; `chat` renders prompts as
    dialogs. Programs are answered `n_samples` times, at `temperature` if more than once, and scored by
    pass@k for each of `ks`.
    """

    seed: int = FEWSHOT_SEED
    chat: bool = False
    n_samples: int = 1
    temperature: float = 0.6
    top_p: float = 0.95
    ks: tuple[int, ...] = (1,)

    def __post_init__(self) -> None:
        """Raise UserError for settings that contradict each other."""
        if self.n_samples < 1:
            raise UserError(f"--samples is {self.n_samples}; give 1 or more")
        if not self.ks or min(self.ks) < 1 or max(self.ks) > self.n_samples:
            raise UserError(
                f"pass@{max(self.ks, default=0)} needs as many samples: --samples is {self.n_samples}"
            )
        if self.n_samples > 1 and self.temperature <= 0:
            raise UserError("at --temperature 0 all samples are the same; give more than 0")


@dataclass(frozen=True, slots=True)
class TaskRun:
    """A task ready to run: the harness's, whose benchmark, how many questions, what was malformed."""

    task: Task
    benchmark: Benchmark
    limit: int | None = None
    malformed: tuple[str, ...] = ()

    def key(self, model: EvaluatedModel, settings: EvalSettings) -> str:
        """Return what the result depends on, as a hash: the same key, the same result."""
        own = self.benchmark
        parts = [FORMAT, model.fingerprint, own.name, str(self.task.VERSION), own.shots]
        parts += [self.limit, repr(settings), _content(self.task, own.shots)]
        return hashlib.sha256(json.dumps(parts).encode()).hexdigest()[:32]


def _content(task: Task, shots: int) -> str:
    """The questions, and what examples are drawn from, as a hash: a file may change under its name."""
    digest = hashlib.sha256()
    for docs in [task.eval_docs, task.fewshot_docs()] if shots else [task.eval_docs]:
        for doc in docs:
            digest.update(json.dumps(doc, sort_keys=True, default=str).encode())
    return digest.hexdigest()


def run_task(
    run: TaskRun,
    model: EvaluatedModel,
    settings: EvalSettings,
    *,
    cache_directory: Path | None = None,
    run_programs: RunPrograms | None = None,
) -> tuple[EvalReport, list[Item]]:
    """Run a task; answers given before are taken from the cache.

    `run_programs` runs what was written for benchmarks of code; without it they are refused. Raises
    UserError when a request cannot be answered.
    """
    from herd.evals.harness_model import HarnessModel

    if run.benchmark.code and run_programs is None:
        raise UserError(f"{run.benchmark.name} runs generated programs, and there is no sandbox")
    started = time.monotonic()
    path = cache_directory and _cache_file(cache_directory, run, model)
    with AnswerCache(path) as cache:
        harness = HarnessModel(model, cache, seed=settings.seed)
        samples = _samples(run, harness, settings)
    items = items_of(samples, run.benchmark.cluster)
    notes = _notes(run, harness.noticed)
    if run.benchmark.code:
        assert run_programs is not None
        measures, more = _score_code(run.benchmark.name, samples, items, run_programs, settings)
        notes += more
    else:
        measures = measures_of(
            samples,
            aggregations=run.task.aggregation(),
            higher_is_better=run.task.higher_is_better(),
            cluster=run.benchmark.cluster,
            seed=settings.seed,
        )
    report = _report(run, model, settings, measures, items, notes, time.monotonic() - started)
    return report, items


def _samples(run: TaskRun, harness: HarnessModel, settings: EvalSettings) -> list[dict[str, Any]]:
    repeats = None
    if run.benchmark.code and settings.n_samples > 1:
        repeats = settings.n_samples
        sampled = {"do_sample": True, "temperature": settings.temperature, "top_p": settings.top_p}
        run.task.set_config(key="generation_kwargs", value=sampled, update=True)
    return harness_samples(
        run.task, harness, limit=run.limit, seed=settings.seed, chat=settings.chat, repeats=repeats
    )


def _cache_file(directory: Path, run: TaskRun, model: EvaluatedModel) -> Path:
    version = str(run.task.VERSION).replace("/", "-")
    return directory / model.fingerprint[:16] / f"{run.benchmark.name}-{version}.jsonl"


def _score_code(
    name: str,
    samples: Sequence[dict[str, Any]],
    items: Sequence[Item],
    run_programs: RunPrograms,
    settings: EvalSettings,
) -> tuple[tuple[Measure, ...], list[str]]:
    by_number = {sample["doc_id"]: sample["doc"] for sample in samples}
    programs = [
        [program_of(name, by_number[item["number"]], answer) for answer in item["answers"]]
        for item in items
    ]
    passed, endings = score_programs(programs, run_programs, ks=settings.ks)
    for item, one in zip(items, passed, strict=True):
        item["scores"] = {f"{k},none": score for k, score in one.scores.items()}
        item["endings"] = list(one.endings)
    measures = tuple(
        Measure.of(
            metric, "none", mean_interval([one.scores[metric] for one in passed]),
            higher_is_better=True,
        )
        for metric in (f"pass@{k}" for k in settings.ks)
    )  # fmt: skip
    ended = ", ".join(f"{n:,} {ending}" for ending, n in endings.most_common())
    return measures, [f"programs: {ended}"]


def _notes(run: TaskRun, noticed: Noticed) -> list[str]:
    notes = [run.benchmark.note()] if run.benchmark.note else []
    if run.malformed:
        shown = "; ".join(run.malformed[:SHOWN_MALFORMED])
        more = ", ..." if len(run.malformed) > SHOWN_MALFORMED else ""
        notes.append(f"{len(run.malformed):,} malformed rows left out: {shown}{more}")
    if noticed.n_cut_prompts:
        notes.append(
            f"{noticed.n_cut_prompts:,} prompts did not fit the context: cut at their left"
        )
    if noticed.n_unfinished:
        notes.append(f"{noticed.n_unfinished:,} answers ended by the budget of tokens")
    return [note for note in notes if note]


def _report(
    run: TaskRun,
    model: EvaluatedModel,
    settings: EvalSettings,
    measures: tuple[Measure, ...],
    items: Sequence[Item],
    notes: Sequence[str],
    seconds: float,
) -> EvalReport:
    benchmark = run.benchmark
    headline = _headline(measures, benchmark)
    return EvalReport(
        task=benchmark.name,
        version=str(run.task.VERSION),
        score=headline.score,
        ci_low=headline.ci_low,
        ci_high=headline.ci_high,
        n=len(items),
        metric=headline.metric,
        filter=headline.filter,
        method=headline.method,
        clusters=headline.clusters,
        model=model.name,
        fingerprint=model.fingerprint,
        key=run.key(model, settings),
        shots=benchmark.shots,
        seed=settings.seed,
        limit=run.limit,
        chat=settings.chat,
        chance=benchmark.chance,
        group=benchmark.group,
        about=benchmark.about,
        prompt=items[0]["prompt"],
        measures=measures,
        notes=tuple(notes),
        n_malformed=len(run.malformed),
        seconds=seconds,
    )


def _headline(measures: Sequence[Measure], benchmark: Benchmark) -> Measure:
    exact = [m for m in measures if (m.metric, m.filter) == (benchmark.metric, benchmark.filter)]
    named = [m for m in measures if m.metric == benchmark.metric]
    for found in (exact, named, list(measures)):
        if found:
            return found[0]
    raise UserError(f"{benchmark.name} gave no score at all")
