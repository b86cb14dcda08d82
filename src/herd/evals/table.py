"""Reports as a table for the terminal: tasks, groups of tasks, scores with their intervals.

In: reports. Out: a table on a console. Never: a headline without its interval.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

from herd.evals.groups import group_rows
from herd.evals.report import EvalReport
from herd.evals.report_text import interval_text, metric_text, number_text

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
            Text(name, style="bold"), "", number_text(found.score), interval_text(found.low, found.high),
            "", f"{found.n:,}", found.method, "",
        )  # fmt: skip
    for one in reports:
        chance = number_text(one.chance) if one.chance else ""
        table.add_row(
            Text(one.task), metric_text(one.metric, one.filter), number_text(one.score),
            interval_text(one.ci_low, one.ci_high), chance, f"{one.n:,}", one.method, _others(one),
        )  # fmt: skip
    console.print(table)
    for one in reports:
        for note in one.notes:
            console.print(Text(f"{one.task}: {note}"))


def _others(report: EvalReport) -> str:
    """The task's other metrics; the page has their intervals."""
    headline = report.metric, report.filter
    others = [one for one in report.measures if (one.metric, one.filter) != headline]
    return ", ".join(
        f"{metric_text(one.metric, one.filter)} {number_text(one.score)}" for one in others
    )
