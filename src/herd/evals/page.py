"""One page for an evaluation: scores with their intervals, and every prompt and answer to look at.

In: a directory of results. Out: one HTML file that opens anywhere; items lie in it compressed and are
unpacked task by task when they are asked for. Never: text of a benchmark or a model taken for markup.
"""

from __future__ import annotations

import base64
import gzip
import json
from collections.abc import Mapping, Sequence
from typing import Any

from herd.evals.groups import group_rows
from herd.evals.page_figures import draw_scores
from herd.evals.report import EvalReport, Measure
from herd.evals.report_text import interval_text, metric_text, number_text
from herd.evals.results import PAGE, Results
from herd.foundation import Badge, PageSection, PageTable, format_seconds, render_page, write_text

TEMPLATE = "evaluation.html.jinja"
COLUMNS = ("metric", "score", "95 % interval", "interval by", "questions")


def write_results_page(results: Results) -> None:
    """Write `report.html` for all tasks in the directory. Raises UserError for a damaged file."""
    reports = results.reports()
    page = render_page(
        "herd.evals",
        TEMPLATE,
        title=f"Herd: what {reports[0].model} can do",
        subtitle=_subtitle(reports),
        headline=_headline(reports),
        scores=draw_scores(reports),
        overview=_overview(reports),
        tasks=[_task(results, report) for report in reports],
        not_run=_not_run(results.not_run()),
    )
    write_text(results.directory / PAGE, page)


def evaluation_section(reports: Sequence[EvalReport]) -> PageSection:
    """Return a section for another report: the scores with their intervals, against guessing."""
    drawn = draw_scores(reports)
    return PageSection(
        title="Evaluation",
        text="What the trained model can do. A small model of one kind of text is near guessing on "
        "most questions; the intervals say how near. Every question: evaluation/report.html.",
        figures=[drawn] if drawn else [],
        tables=[_overview(reports)],
    )


def _subtitle(reports: Sequence[EvalReport]) -> str:
    n = sum(one.n for one in reports)
    return (
        f"{len(reports)} task{'s' * (len(reports) != 1)}, {n:,} questions; weights and tokenizer "
        f"{reports[0].fingerprint[:16]}; prompts, filters and metrics of lm-evaluation-harness"
    )


def _headline(reports: Sequence[EvalReport]) -> dict[str, str]:
    """Label (the name with the interval) to score."""
    cards = {
        f"{name}: {interval_text(one.low, one.high)}": number_text(one.score)
        for name, one in group_rows(reports).items()
    }
    cards |= {
        f"{one.task}: {interval_text(one.ci_low, one.ci_high)}": number_text(one.score)
        for one in reports
        if not one.group
    }
    return dict(list(cards.items())[:12])


def _overview(reports: Sequence[EvalReport]) -> PageTable:
    rows: list[Sequence[str | Badge]] = [
        [
            name,
            "",
            number_text(found.score),
            interval_text(found.low, found.high),
            f"{found.n:,}",
            "",
        ]
        for name, found in group_rows(reports).items()
    ]
    rows += [
        [
            one.task, metric_text(one.metric, one.filter), number_text(one.score),
            interval_text(one.ci_low, one.ci_high), _questions(one), _against_chance(one),
        ]
        for one in reports
    ]  # fmt: skip
    columns = ("task", "metric", "score", "95 % interval", "questions", "against guessing")
    return PageTable(columns=columns, rows=rows)


def _questions(report: EvalReport) -> str:
    return f"the first {report.n:,}" if report.limit else f"{report.n:,}"


def _against_chance(report: EvalReport) -> str | Badge:
    if not report.chance:
        return ""
    if report.ci_low > report.chance:
        return Badge(text=f"above {report.chance:.2f}", tone="good")
    if report.ci_high < report.chance:
        return Badge(text=f"below {report.chance:.2f}", tone="bad")
    return Badge(text=f"not told from {report.chance:.2f}", tone="warn")


def _task(results: Results, report: EvalReport) -> dict[str, Any]:
    headline = f"{report.metric},{report.filter}"
    return {
        "name": report.task,
        "about": report.about,
        "line": f"{metric_text(report.metric, report.filter)} {number_text(report.score)} "
        f"({interval_text(report.ci_low, report.ci_high)})",
        "measures": PageTable(columns=COLUMNS, rows=[_measure_row(one) for one in report.measures]),
        "facts": _facts(report),
        "notes": list(report.notes),
        "prompt": report.prompt,
        "headline": headline,
        "packed": _packed(list(results.items(report.task))),
    }


def _measure_row(one: Measure) -> list[str]:
    arrow = "" if one.higher_is_better else " (lower is better)"
    return [
        metric_text(one.metric, one.filter) + arrow, number_text(one.score, 4),
        interval_text(one.ci_low, one.ci_high, 4), one.method, f"{one.n:,}",
    ]  # fmt: skip


def _facts(report: EvalReport) -> str:
    asked = "asked as a dialog" if report.chat else "asked as plain text"
    of = f"the first {report.limit:,} questions" if report.limit else "all questions"
    passages = f" on {report.clusters:,} passages" if report.clusters < report.n else ""
    return (
        f"version {report.version}, {report.shots} shots, seed {report.seed}, {asked}, {of}{passages}, "
        f"{format_seconds(report.seconds)}"
    )


def _not_run(not_run: Mapping[str, str]) -> PageTable | None:
    rows = [[name, why] for name, why in not_run.items()]
    return PageTable(columns=("not run", "why"), rows=rows) if rows else None


def _packed(items: Sequence[Mapping[str, Any]]) -> str:
    """Items as JSON, gzip, base64: letters that mean nothing to HTML."""
    text = json.dumps(items, ensure_ascii=True, separators=(",", ":"))
    return base64.b64encode(gzip.compress(text.encode(), mtime=0)).decode()
