"""Reports as a table for the terminal: tasks, groups of tasks, scores with their intervals.

In: reports. Out: rows; a table on a console. Never: a mean over tasks that are not a group.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import TYPE_CHECKING

from herd.evals.intervals import Interval, Z
from herd.evals.report import EvalReport

if TYPE_CHECKING:
    from rich.console import Console


def group_rows(reports: Sequence[EvalReport]) -> dict[str, Interval]:
    """Return for each group of several tasks the mean of their scores, each task weighing the same.

    The tasks' questions are other questions, so their errors add up as independent ones.
    """
    groups: dict[str, list[EvalReport]] = {}
    for report in reports:
        if report.group:
            groups.setdefault(report.group, []).append(report)
    return {
        name: _macro(own)
        for name, own in groups.items()
        if len(own) > 1 and len({one.metric for one in own}) == 1
    }


def _macro(reports: Sequence[EvalReport]) -> Interval:
    n_tasks = len(reports)
    mean = sum(one.score for one in reports) / n_tasks
    variance = sum(((one.ci_high - one.ci_low) / (2 * Z)) ** 2 for one in reports) / n_tasks**2
    half = Z * math.sqrt(variance)
    n = sum(one.n for one in reports)
    return Interval(mean, mean - half, mean + half, f"mean of {n_tasks} tasks", n, n)


def show_reports(reports: Sequence[EvalReport], console: Console) -> None:
    """Print the headline score of each task and group, then what a reader should know of them."""
    from rich.table import Column, Table
    from rich.text import Text

    right = [Column(name, justify="right") for name in ("score", "95 % interval", "chance", "n")]
    table = Table("task", "metric", *right, "interval by", Column("version", justify="right"))
    for name, found in group_rows(reports).items():
        table.add_row(
            Text(name, style="bold"), "", _number(found.score), _range(found.low, found.high),
            "", f"{found.n:,}", found.method, "",
        )  # fmt: skip
    for one in reports:
        metric = one.metric if one.filter == "none" else f"{one.metric}, {one.filter}"
        chance = _number(one.chance) if one.chance else ""
        table.add_row(
            Text(one.task), metric, _number(one.score), _range(one.ci_low, one.ci_high), chance,
            f"{one.n:,}", one.method, one.version,
        )  # fmt: skip
    console.print(table)
    for one in reports:
        for note in one.notes:
            console.print(Text(f"{one.task}: {note}"))


def _number(value: float) -> str:
    return f"{value:.3f}"


def _range(low: float, high: float) -> str:
    if math.isinf(low) or math.isinf(high):
        return "not known"
    return f"{low:.3f} to {high:.3f}"
