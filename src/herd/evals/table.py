"""Reports as a table for the terminal: tasks, groups of tasks, scores with their intervals.

In: reports. Out: a table on a console. Never: a headline without its interval.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import TYPE_CHECKING

from herd.evals.groups import group_rows
from herd.evals.report import EvalReport

if TYPE_CHECKING:
    from rich.console import Console


def show_reports(reports: Sequence[EvalReport], console: Console) -> None:
    """Print the headline score of each task and group, then what a reader should know of them."""
    from rich.table import Column, Table
    from rich.text import Text

    right = [Column(name, justify="right") for name in ("score", "95 % interval", "chance", "n")]
    table = Table("task", "metric", *right, "interval by", "also")
    for name, found in group_rows(reports).items():
        table.add_row(
            Text(name, style="bold"), "", _number(found.score), _range(found.low, found.high),
            "", f"{found.n:,}", found.method, "",
        )  # fmt: skip
    for one in reports:
        chance = _number(one.chance) if one.chance else ""
        table.add_row(
            Text(one.task), metric_text(one.metric, one.filter), _number(one.score), _range(one.ci_low, one.ci_high), chance,
            f"{one.n:,}", one.method, _others(one),
        )  # fmt: skip
    console.print(table)
    for one in reports:
        for note in one.notes:
            console.print(Text(f"{one.task}: {note}"))


def _others(report: EvalReport) -> str:
    """The task's other metrics; the page has their intervals."""
    headline = report.metric, report.filter
    others = [one for one in report.measures if (one.metric, one.filter) != headline]
    return ", ".join(f"{metric_text(one.metric, one.filter)} {one.score:.3f}" for one in others)


def metric_text(metric: str, filter: str) -> str:
    """Return a metric's name, with the filter's if there is one."""
    return metric if filter == "none" else f"{metric}, {filter}"


def _number(value: float) -> str:
    return f"{value:.3f}"


def _range(low: float, high: float) -> str:
    if math.isinf(low) or math.isinf(high):
        return "not known"
    return f"{low:.3f} to {high:.3f}"
