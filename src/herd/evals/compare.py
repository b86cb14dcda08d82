"""Two models on the same questions: the difference of each score, paired, with its interval.

In: two or more directories of results; the first is what the others are compared with. Out: rows; a
table. Never: questions that only one of them answered; those are counted and said.
"""

from __future__ import annotations

import statistics
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from herd.evals.groups import mean_of, say_the_same
from herd.evals.intervals import Interval, paired_difference
from herd.evals.items import Item, by_question
from herd.evals.report import EvalReport, finite
from herd.evals.results import Results
from herd.foundation import UserError

if TYPE_CHECKING:
    from rich.console import Console

SHOWN_UNSHARED = 6


@dataclass(frozen=True, slots=True)
class Difference:
    """A task's headline metric in two runs; `difference` is second minus first."""

    task: str
    metric: str
    filter: str
    first: float
    second: float
    difference: Interval
    n_unpaired: int
    note: str = ""

    @property
    def name(self) -> str:
        """Return how items call the metric."""
        return f"{self.metric},{self.filter}"

    @property
    def is_significant(self) -> bool:
        """Whether the interval leaves 0 out."""
        return self.difference.excludes_zero


def compare_runs(directories: Sequence[Path | str]) -> dict[str, Any]:
    """Return for each later run the differences from the first, task by task.

    Raises UserError for fewer than two runs, one without results, or no task in common.
    """
    if len(directories) < 2:
        raise UserError("a comparison needs two directories of results or more")
    runs = [Results(directory) for directory in directories]
    reports = [{one.task: one for one in run.reports()} for run in runs]
    for directory, own in zip(directories, reports, strict=True):
        if not own:
            raise UserError(f"{directory} holds no results; `herd eval MODEL --out` makes them")
    rows = []
    for directory, run, own in zip(directories[1:], runs[1:], reports[1:], strict=True):
        common = [task for task in reports[0] if task in own]
        if not common:
            raise UserError(f"{directories[0]} and {directory} have no task in common")
        found = [_difference(runs[0], run, reports[0][task], own[task]) for task in common]
        alone = sorted(own.keys() ^ reports[0].keys())
        rows.append(
            {
                "run": str(directory),
                "model": _model(own),
                "groups": _of_groups(found, own),
                "differences": found,
                "unshared": alone,
            }
        )
    return {"base": str(directories[0]), "model": _model(reports[0]), "against": rows}


def comparison_json(comparison: Mapping[str, Any]) -> dict[str, Any]:
    """Return a comparison as plain values."""
    return {
        **comparison,
        "against": [
            row | {part: [_plain(one) for one in row[part]] for part in ("groups", "differences")}
            for row in comparison["against"]
        ],
    }


def _plain(one: Difference) -> dict[str, Any]:
    values: dict[str, Any] = finite(asdict(one))
    return values | {"significant": one.is_significant}


def show_comparison(comparison: Mapping[str, Any], console: Console) -> None:
    """Print a table for each later run."""
    from rich.table import Column, Table
    from rich.text import Text

    for row in comparison["against"]:
        right = ("first", "second", "difference", "95 % interval", "n")
        table = Table("task", "metric", *(Column(name, justify="right") for name in right), "")
        for one in (*row["groups"], *row["differences"]):
            low, high = one.difference.low, one.difference.high
            verdict = "differs" if one.is_significant else "no difference shown"
            table.add_row(
                Text(one.task), one.metric, f"{one.first:.3f}", f"{one.second:.3f}",
                f"{one.difference.score:+.3f}", f"{low:+.3f} to {high:+.3f}",
                f"{one.difference.n:,}", Text(f"{verdict}{'; ' if one.note else ''}{one.note}"),
            )  # fmt: skip
        first, second = comparison["model"], row["model"]
        console.print(
            Text(f"first: {first} ({comparison['base']}); second: {second} ({row['run']})")
        )
        console.print(table)
        if row["unshared"]:
            n, names = len(row["unshared"]), ", ".join(row["unshared"][:SHOWN_UNSHARED])
            more = ", ..." if n > SHOWN_UNSHARED else ""
            console.print(Text(f"{n:,} tasks are in one of the two only: {names}{more}"))
    console.print(
        "differences are paired, question by question; an interval without 0 is significant at 5 %"
    )


def _of_groups(found: Sequence[Difference], reports: Mapping[str, EvalReport]) -> list[Difference]:
    """The mean difference over each group of several tasks."""
    groups: dict[str, list[Difference]] = {}
    for one in found:
        groups.setdefault(reports[one.task].group, []).append(one)
    return [
        Difference(
            name, "mean", "", statistics.fmean(one.first for one in own), statistics.fmean(one.second for one in own),
            mean_of([one.difference for one in own]), sum(one.n_unpaired for one in own),
            f"{len(own):,} tasks",
        )
        for name, own in groups.items()
        if name and len(own) > 1 and say_the_same(one.metric for one in own)
    ]  # fmt: skip


def _difference(
    first: Results, second: Results, mine: EvalReport, theirs: EvalReport
) -> Difference:
    name = f"{mine.metric},{mine.filter}"
    ours, others = (by_question(run.items(mine.task)) for run in (first, second))
    shared = [one for one in ours if one in others]
    if not shared:
        raise UserError(f"{mine.task}: the two runs have no question in common")
    labels = [str(ours[one].get("cluster", one[0])) for one in shared]
    before = [item_value(ours[one], name) for one in shared]
    after = [item_value(others[one], name) for one in shared]
    difference = paired_difference(after, before, labels)
    notes = []
    if mine.version != theirs.version:
        notes.append(f"versions {mine.version} and {theirs.version}")
    if (mine.shots, mine.chat) != (theirs.shots, theirs.chat):
        notes.append("prompted differently")
    n_unpaired = len(ours) + len(others) - 2 * len(shared)
    if mine.limit != theirs.limit:
        notes.append(f"limits {mine.limit or 'none'} and {theirs.limit or 'none'}")
    elif n_unpaired:
        notes.append(f"{n_unpaired:,} questions answered by one only")
    mean = sum(before) / len(before), sum(after) / len(after)
    return Difference(
        mine.task, mine.metric, mine.filter, *mean, difference, n_unpaired, "; ".join(notes)
    )


def item_value(item: Item, name: str) -> float:
    """Return a question's score; a text's is its bits (or nats) per unit."""
    value = item["scores"].get(name)
    if isinstance(value, list) and len(value) == 2 and not isinstance(value[0], bool):
        return -float(value[0]) / max(float(value[1]), 1)
    if isinstance(value, list):
        return sum(map(float, value)) / max(len(value), 1)
    if value is None:
        raise UserError(f"an item has no score {name}: run the task again in both directories")
    return float(value)


def _model(reports: Mapping[str, EvalReport]) -> str:
    return next(iter(reports.values())).model
