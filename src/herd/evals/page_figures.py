"""The drawing of an evaluation: a dot and its 95 % interval for each group and task, guessing as a mark.

In: reports. Out: a figure in the page's colours. Never: scores that do not lie between 0 and 1.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import NamedTuple

from herd.evals.groups import group_rows
from herd.evals.report import EvalReport
from herd.foundation import FIRST, SECOND, SOFT, PageFigure, page_svg, printable, style_axes

ROW_INCHES, MOST_ROWS = 0.32, 90


class _Row(NamedTuple):
    name: str
    score: float
    low: float
    high: float
    chance: float


def draw_scores(reports: Sequence[EvalReport]) -> PageFigure | None:
    """Return the scores between 0 and 1, one row a group or task; None when there are none."""
    rows = [row for row in _rows(reports) if row.low >= 0 and row.high <= 1][:MOST_ROWS][::-1]
    if not rows:
        return None
    from matplotlib.figure import Figure
    from matplotlib.ticker import FixedLocator, FormatStrFormatter

    canvas = Figure(figsize=(9, 1.1 + ROW_INCHES * len(rows)))
    axes = canvas.subplots()
    style_axes(axes, x_label="score", y_label="")
    for y, row in enumerate(rows):
        axes.plot([row.low, row.high], [y, y], color=FIRST, linewidth=2.2, alpha=0.55)
        axes.plot([row.score], [y], "o", color=FIRST, markersize=5.5)
        if row.chance:
            axes.plot([row.chance], [y], "|", color=SECOND, markersize=11, markeredgewidth=2)
    axes.yaxis.set_major_locator(FixedLocator(range(len(rows))))
    axes.set_yticklabels([printable(row.name, 40) for row in rows], color=SOFT)
    axes.xaxis.set_major_formatter(FormatStrFormatter("%.1f"))
    axes.set_xlim(-0.01, 1.01)
    axes.set_ylim(-0.6, len(rows) - 0.4)
    axes.grid(axis="y", visible=False)
    canvas.tight_layout()
    note = "Dots are scores, bars their 95 % intervals; the short upright mark is what guessing scores."
    return PageFigure(title="Scores", svg=page_svg(canvas, "evaluation"), note=note, wide=True)


def _rows(reports: Sequence[EvalReport]) -> list[_Row]:
    groups = [
        _Row(f"{name}, all", one.score, one.low, one.high, 0.0)
        for name, one in group_rows(reports).items()
    ]
    tasks = [_Row(one.task, one.score, one.ci_low, one.ci_high, one.chance) for one in reports]
    return [*groups, *tasks]
