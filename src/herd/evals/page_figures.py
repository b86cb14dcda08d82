"""The drawing of numbers with their intervals: a dot and a bar for each, one row under the other.

In: rows. Out: a figure in the page's colours. Never: a number without its interval.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass

from herd.evals.groups import group_rows
from herd.evals.report import EvalReport
from herd.foundation import FIRST, SECOND, SOFT, PageFigure, page_svg, printable, style_axes

ROW_INCHES, MOST_ROWS, MOST_CHARS = 0.32, 90, 40


@dataclass(frozen=True, slots=True)
class IntervalRow:
    """A number by name, with the bounds of its interval; `mark` is what to hold it against."""

    name: str
    score: float
    low: float
    high: float
    mark: float = 0.0
    is_strong: bool = False


def draw_intervals(
    rows: Sequence[IntervalRow],
    *,
    title: str,
    x_label: str,
    x_format: str,
    note: str,
    x_limits: tuple[float, float] | None = None,
    line_at: float | None = None,
    bands: Sequence[range] = (),
) -> PageFigure:
    """Return a figure of rows, the first on top.

    `line_at` draws an upright line; each of `bands` shades some rows from their lowest to their highest
    score. A bar whose bounds are not known is left out.
    """
    from matplotlib.figure import Figure
    from matplotlib.ticker import FixedLocator, FormatStrFormatter

    shown = rows[:MOST_ROWS]
    canvas = Figure(figsize=(9, 1.1 + ROW_INCHES * len(shown)))
    axes = canvas.subplots()
    style_axes(axes, x_label=x_label, y_label="")
    for i, row in enumerate(shown):
        alpha = 1.0 if row.is_strong else 0.55
        if math.isfinite(row.low) and math.isfinite(row.high):
            axes.plot([row.low, row.high], [-i, -i], color=FIRST, linewidth=2.2, alpha=alpha)
        axes.plot([row.score], [-i], "o", color=FIRST, markersize=5.5)
        if row.mark:
            axes.plot([row.mark], [-i], "|", color=SECOND, markersize=11, markeredgewidth=2)
    for band in bands:
        scores = [rows[i].score for i in band]
        axes.fill_betweenx(
            [-band[0] + 0.4, -band[-1] - 0.4], min(scores), max(scores),
            color=SECOND, alpha=0.25, linewidth=0,
        )  # fmt: skip
    if line_at is not None:
        axes.axvline(line_at, color=SOFT, linewidth=1, linestyle=":")
    if x_limits is not None:
        axes.set_xlim(*x_limits)
    axes.yaxis.set_major_locator(FixedLocator([-i for i in range(len(shown))]))
    axes.set_yticklabels([printable(row.name, MOST_CHARS) for row in shown], color=SOFT)
    axes.xaxis.set_major_formatter(FormatStrFormatter(x_format))
    axes.set_ylim(-len(shown) + 0.4, 0.6)
    axes.grid(axis="y", visible=False)
    canvas.tight_layout()
    return PageFigure(title=title, svg=page_svg(canvas, title), note=note, wide=True)


def draw_scores(reports: Sequence[EvalReport]) -> PageFigure | None:
    """Return the scores between 0 and 1, one row a group or task; None when there are none."""
    groups = [
        IntervalRow(f"{name}, all", one.score, one.low, one.high)
        for name, one in group_rows(reports).items()
    ]
    tasks = [
        IntervalRow(one.task, one.score, one.ci_low, one.ci_high, one.chance) for one in reports
    ]
    rows = [row for row in (*groups, *tasks) if row.low >= 0 and row.high <= 1]
    if not rows:
        return None
    return draw_intervals(
        rows, title="Scores", x_label="score", x_format="%.1f",
        note="Dots are scores, bars their 95 % intervals; the short upright mark is what guessing scores.",
        x_limits=(-0.01, 1.01),
    )  # fmt: skip
