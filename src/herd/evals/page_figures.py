"""The drawing of an evaluation: a dot and its 95 % interval for each task, guessing as a mark.

In: reports. Out: a figure in the page's colours. Never: scores that do not lie between 0 and 1.
"""

from __future__ import annotations

from collections.abc import Sequence

from herd.evals.report import EvalReport
from herd.foundation import FIRST, SECOND, SOFT, PageFigure, page_svg, printable, style_axes

ROW_INCHES, MOST_ROWS = 0.32, 90


def draw_scores(reports: Sequence[EvalReport]) -> PageFigure | None:
    """Return the scores between 0 and 1, one row a task; None when there are none."""
    shown = [one for one in reports if one.ci_low >= 0 and one.ci_high <= 1][:MOST_ROWS]
    if not shown:
        return None
    from matplotlib.figure import Figure
    from matplotlib.ticker import FixedLocator, FormatStrFormatter

    canvas = Figure(figsize=(9, 1.1 + ROW_INCHES * len(shown)))
    axes = canvas.subplots()
    style_axes(axes, x_label="score", y_label="")
    for row, one in enumerate(reversed(shown)):
        axes.plot([one.ci_low, one.ci_high], [row, row], color=FIRST, linewidth=2.2, alpha=0.55)
        axes.plot([one.score], [row], "o", color=FIRST, markersize=5.5)
        if one.chance:
            axes.plot([one.chance], [row], "|", color=SECOND, markersize=11, markeredgewidth=2)
    axes.yaxis.set_major_locator(FixedLocator(range(len(shown))))
    axes.set_yticklabels([printable(one.task, 40) for one in reversed(shown)], color=SOFT)
    axes.xaxis.set_major_formatter(FormatStrFormatter("%.1f"))
    axes.set_xlim(-0.01, 1.01)
    axes.set_ylim(-0.6, len(shown) - 0.4)
    axes.grid(axis="y", visible=False)
    canvas.tight_layout()
    note = "Dots are scores, bars their 95 % intervals; the short upright mark is what guessing scores."
    return PageFigure(title="Scores", svg=page_svg(canvas, "evaluation"), note=note, wide=True)
