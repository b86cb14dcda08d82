"""The page of a comparison: differences with their intervals, and the questions that two models answer otherwise.

In: what `compare_runs` returned. Out: HTML. Never: a difference without its interval.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from herd.evals.compare import Difference, item_value
from herd.evals.items import by_question
from herd.evals.page_figures import IntervalRow, draw_intervals
from herd.evals.results import Results
from herd.foundation import Badge, PageFigure, PageSection, PageTable, printable, render_sections

SHOWN_QUESTIONS, SHOWN_CHARS = 20, 400  # of each task
COLUMNS = ("task", "metric", "first", "second", "difference", "95 % interval", "questions", "")


def comparison_page(comparison: Mapping[str, Any]) -> str:
    """Return the page of a comparison. Raises UserError for items that are gone or damaged."""
    sections = [
        section for row in comparison["against"] for section in _sections(row, comparison["base"])
    ]
    return render_sections(
        title=f"Herd: {comparison['model']} compared",
        subtitle="paired differences, question by question: second less first, with 95 % intervals",
        sections=sections,
    )


def _sections(row: Mapping[str, Any], base: str) -> list[PageSection]:
    found: Sequence[Difference] = row["differences"]
    changed = [_changed(base, row["run"], one) for one in found]
    both = [*row["groups"], *found]
    return [
        PageSection(
            title=f"{row['model']} ({row['run']}) against {base}",
            text=_unshared(row["unshared"]),
            figures=[_draw(both)],
            tables=[PageTable(columns=COLUMNS, rows=[_cells(one) for one in both])],
        ),
        PageSection(
            title="Questions that they answer otherwise", tables=[one for one in changed if one]
        ),
    ]


def _unshared(tasks: Sequence[str]) -> str:
    return f"In one of the two only: {', '.join(tasks)}." if tasks else ""


def _cells(one: Difference) -> list[str | Badge]:
    low, high = one.difference.low, one.difference.high
    tone = "good" if low > 0 else "bad" if high < 0 else "calm"
    verdict = "differs" if one.is_significant else "no difference shown"
    return [
        one.task, one.metric, f"{one.first:.3f}", f"{one.second:.3f}", f"{one.difference.score:+.3f}",
        f"{low:+.3f} to {high:+.3f}", f"{one.difference.n:,}{'; ' if one.note else ''}{one.note}",
        Badge(text=verdict, tone=tone),  # type: ignore[arg-type]
    ]  # fmt: skip


def _changed(base: str, run: str, one: Difference) -> PageTable | None:
    """The questions of a task whose score differs, the first of them with their texts."""
    before, after = (by_question(Results(place).items(one.task)) for place in (base, run))
    rows = []
    for question, item in after.items():
        if question in before:
            first, second = (item_value(i, one.name) for i in (before[question], item))
            if first != second:
                text = printable(" ".join(item["text"].split()), SHOWN_CHARS)
                rows.append([f"{item['number'] + 1:,}", text, f"{first:.3g}", f"{second:.3g}"])
    note = f"the first {SHOWN_QUESTIONS} of {len(rows):,}" if len(rows) > SHOWN_QUESTIONS else ""
    columns = (f"{one.task}, question", "what it says", "first", "second")
    return PageTable(columns=columns, rows=rows[:SHOWN_QUESTIONS], note=note) if rows else None


def _draw(found: Sequence[Difference]) -> PageFigure:
    rows = [
        IntervalRow(
            one.task, one.difference.score, one.difference.low, one.difference.high,
            is_strong=one.is_significant,
        )
        for one in found
    ]  # fmt: skip
    return draw_intervals(
        rows, title="Differences", x_label="second less first", x_format="%+.2f",
        note="Bars are 95 % intervals; those that leave 0 out are drawn full.", line_at=0.0,
    )  # fmt: skip
