"""What a model's scores owe to questions that stand in its training text (Llama 3, section 5.1.4).

The data room measures how much of each question's words lie in 8-grams of a corpus; here that is joined to
the scores: clean questions against contaminated ones, and the gain.
In: results of models on the same tasks, a curated corpus. Out: for each task the two splits and the
estimate. Never: a gain from a handful of questions; the estimate then says why there is none.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import asdict
from pathlib import Path
from typing import TYPE_CHECKING, Any

from herd.data import (
    Example,
    GainEstimate,
    contamination_report,
    estimate_gain,
    read_corpus,
)
from herd.evals.intervals import Z, mean_interval
from herd.evals.items import Item, by_question
from herd.evals.results import Results
from herd.foundation import UserError

if TYPE_CHECKING:
    from rich.console import Console


def contaminated_scores(
    runs: Sequence[Path | str], corpus: Path | str, *, n_words: int = 8
) -> list[dict[str, Any]]:
    """Return for each task that all runs share: the estimate, and each model's scores on both splits.

    Raises UserError for runs without a common task, or a corpus that is unfinished or damaged.
    """
    results = [Results(run) for run in runs]
    names = _distinct([_model(one) for one in results])
    shared = {task: _shared_items(task, results) for task in _common_tasks(results)}
    examples = [
        Example(task, f"{key[0]} {key[1]}", own[0]["text"])
        for task, items in shared.items()
        for key, own in items.items()
    ]
    documents = read_corpus(corpus, split="train", doing="scanning")
    overlaps = contamination_report(documents, examples, n_words=n_words)["benchmarks"]
    headlines = {task: [_headline(one, task) for one in results] for task in shared}
    return [
        _task(task, items, headlines[task], names, overlaps[task]) for task, items in shared.items()
    ]


def show_contaminated(rows: Sequence[Mapping[str, Any]], console: Console) -> None:
    """Print a table, one line a task and model."""
    from rich.table import Column, Table
    from rich.text import Text

    right = ("threshold", "dirty", "all", "clean ones", "dirty ones", "gain", "95 % interval")
    left = (Column(name, overflow="fold") for name in ("task", "model"))
    table = Table(*left, *(Column(name, justify="right") for name in right), "")
    for row in rows:
        share = f"{row['contaminated']:.1%}" if row["contaminated"] is not None else ""
        threshold = "" if row["threshold"] is None else f"{row['threshold']:.1f}"
        for name, one in row["models"].items():
            cells = [_number(one[key]) for key in ("all", "clean", "dirty")]
            gain, half = one["gain"], one["half_width"]
            span = f"{gain - half:+.3f} to {gain + half:+.3f}" if gain is not None else ""
            table.add_row(
                Text(row["task"]), Text(name), threshold, share, *cells,
                f"{gain:+.3f}" if gain is not None else "", span, Text(row["verdict"]),
            )  # fmt: skip
    console.print(table)
    console.print(
        "a question is dirty (contaminated) if the share of its words in an n-gram of the corpus reaches the threshold: "
        "that with the largest significant gain, or else the lowest that leaves enough clean ones; gain = score of all - "
        "score of the clean"
    )


def _shared_items(task: str, results: Sequence[Results]) -> dict[tuple[str, int], list[Item]]:
    """The questions that all models answered: each model's item."""
    items = [by_question(one.items(task)) for one in results]
    shared = {
        key: [own[key] for own in items] for key in items[0] if all(key in other for other in items)
    }
    if not shared:
        raise UserError(f"{task}: the runs have no question in common")
    return shared


def _task(
    task: str,
    items: Mapping[tuple[str, int], Sequence[Item]],
    headlines: Sequence[str],
    names: Sequence[str],
    overlap: Mapping[str, Any],
) -> dict[str, Any]:
    correct = {
        name: [_correct(own[i], headlines[i]) for own in items.values()]
        for i, name in enumerate(names)
    }
    estimate = estimate_gain(overlap["scores"], correct)
    chosen = estimate.chosen
    return {
        "task": task,
        "n": len(items),
        "mean_overlap": overlap["mean_score"],
        "threshold": chosen.threshold if chosen else None,
        "contaminated": chosen.contaminated if chosen else None,
        "models": {
            name: _split(name, correct[name], overlap["scores"], estimate) for name in names
        },
        "verdict": _verdict(estimate),
        "thresholds": [asdict(one) for one in estimate.thresholds],
    }


def _split(
    name: str, correct: Sequence[float], overlaps: Sequence[float], estimate: GainEstimate
) -> dict[str, Any]:
    """One model's scores: all questions, the clean and the contaminated ones, with intervals."""
    row: dict[str, Any] = {"all": mean_interval(correct).score, "clean": None, "dirty": None}
    row |= {"gain": None, "half_width": None}
    if estimate.chosen is None:
        return row
    at = estimate.chosen.threshold
    for split, wanted in (("clean", False), ("dirty", True)):
        own = [c for c, o in zip(correct, overlaps, strict=True) if (o >= at) == wanted]
        if own:
            interval = mean_interval(own)
            row |= {split: interval.score, f"{split}_interval": [interval.low, interval.high]}
    gain = estimate.chosen.models[name]
    return row | {"gain": gain.gain, "half_width": Z * gain.standard_error}


def _verdict(estimate: GainEstimate) -> str:
    if estimate.chosen is None:
        return f"no estimate: {estimate.why_not}"
    if estimate.significant:
        return "significant"
    lower = [one for one in estimate.thresholds if one.threshold < estimate.chosen.threshold]
    few = (
        f"; at {lower[0].threshold:.1f}, {lower[0].contaminated:.0%} are dirty and too few clean"
        if lower
        else ""
    )
    return f"no gain shown{few}"


def _correct(item: Item, headline: str) -> float:
    value = item["scores"].get(headline)
    if not isinstance(value, int | float) or not 0 <= value <= 1:
        raise UserError(f"{headline} is no score between 0 and 1: no gain can be told from it")
    return float(value)


def _headline(results: Results, task: str) -> str:
    report = next(one for one in results.reports() if one.task == task)
    return f"{report.metric},{report.filter}"


def _common_tasks(results: Sequence[Results]) -> list[str]:
    own = [[report.task for report in one.reports()] for one in results]
    common = [task for task in own[0] if all(task in other for other in own)] if own else []
    if not common:
        raise UserError("the runs have no task in common; evaluate the models on the same tasks")
    return common


def _model(results: Results) -> str:
    reports = results.reports()
    if not reports:
        raise UserError(f"{results.directory} holds no results of an evaluation")
    return reports[0].model


def _distinct(names: Sequence[str]) -> list[str]:
    return [name if names.count(name) == 1 else f"{name} ({i})" for i, name in enumerate(names, 1)]


def _number(value: float | None) -> str:
    return "" if value is None else f"{value:.3f}"
