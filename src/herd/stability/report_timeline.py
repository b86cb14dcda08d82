"""The verdicts of a run under its loss, and when something was done.

In: a `RunReading` and the losses of every step. Out: one `PageFigure`.
"""

from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

from herd.foundation import (
    BAD,
    CALM,
    FIRST,
    GOOD,
    INK,
    WARN,
    PageFigure,
    page_svg,
    style_axes,
    style_legend,
)
from herd.stability.report_axes import BOTTOM, TOP, new_canvas, run_axes, set_steps
from herd.stability.report_bins import Columns, envelope
from herd.stability.report_episodes import BY_CONCERN, CONCERN
from herd.stability.run_reading import RunReading
from herd.stability.verdict import Level

if TYPE_CHECKING:
    from matplotlib.axes import Axes

TONE = {Level.OK: GOOD, Level.RECOVERY: CALM, Level.WATCH: WARN, Level.ALARM: BAD}
HEIGHT, STRIP, LOSS_FROM = 2.6, 0.55, 1.15  # inches
MOST_MARKS = 500
Losses = tuple[NDArray[np.int64], NDArray[np.float64]]


def draw_timeline(
    reading: RunReading,
    losses: Losses,
    *,
    title: str = "Verdicts under the loss",
) -> PageFigure:
    """Return the loss over the run's verdicts and what was done."""
    canvas = new_canvas(HEIGHT)
    loss_axes = run_axes(canvas, reading, bottom=LOSS_FROM, tall=HEIGHT - LOSS_FROM - TOP)
    strip = run_axes(canvas, reading, bottom=BOTTOM, tall=STRIP)
    _draw_loss(loss_axes, reading, losses)
    _draw_verdicts(strip, reading)
    for axes in (loss_axes, strip):
        set_steps(axes, reading)
    strip.grid(visible=False)
    loss_axes.set_xlabel("")
    loss_axes.tick_params(labelbottom=False)
    return PageFigure(
        title=title,
        svg=page_svg(canvas, title),
        note="Where a column holds several steps, the loss shows its least and greatest value and "
        "the verdict is the worst one. Triangles: an intervention begins or acts; hollow: it ends.",
        wide=True,
    )


def _draw_loss(axes: "Axes", reading: RunReading, losses: Losses) -> None:
    steps, values = losses
    inside = (steps >= reading.step_N[0]) & (steps <= reading.step_N[-1])
    steps, values = steps[inside], values[inside]
    if np.isfinite(values).sum() < 2:
        known = ~np.isnan(reading.loss_N)
        steps, values = reading.step_N[known], reading.loss_N[known]
    drawn_steps, drawn = envelope(steps, values)
    if len(drawn):
        axes.plot(drawn_steps, drawn, color=FIRST, linewidth=1.1)
        if drawn.min() > 0 and drawn.max() > 30 * drawn.min():
            axes.set_yscale("log")
    lost = steps[~np.isfinite(values)][:MOST_MARKS]
    axes.plot(
        lost,
        np.full(len(lost), 0.97),
        transform=axes.get_xaxis_transform(),
        color=BAD,
        linestyle="",
        marker="x",
        markersize=5,
        label="loss not finite",
    )
    style_axes(axes, x_label="", y_label="loss, nats")
    axes.tick_params(axis="y", labelsize=8)
    if len(lost):
        style_legend(axes)


def _draw_verdicts(axes: "Axes", reading: RunReading) -> None:
    columns = Columns.over(reading.step_N)
    concern = columns.reduced(CONCERN[reading.level_N].astype(np.float64), np.fmax)
    edges = np.linspace(columns.first - 0.5, columns.last + 0.5, columns.n + 1)
    for place, level in enumerate(BY_CONCERN):
        spans = [
            (edges[start], edges[end] - edges[start]) for start, end in _runs(concern == place)
        ]
        if spans:
            axes.broken_barh(spans, (0.0, 1.0), facecolors=TONE[level], label=level.value)
    for undone in (False, True):
        steps = sorted({each.step for each in reading.interventions if each.undone is undone})
        axes.plot(
            steps[:MOST_MARKS],
            [1.35] * len(steps[:MOST_MARKS]),
            linestyle="",
            marker="v",
            markersize=5,
            color=INK,
            markerfacecolor="none" if undone else INK,
        )
    style_axes(axes, x_label="step", y_label="")
    axes.set_ylim(0, 1.75)
    axes.set_yticks([0.5, 1.35], labels=["verdict", "what was done"], fontsize=7, color=INK)
    axes.tick_params(axis="y", length=0)
    axes.spines["left"].set_visible(False)
    style_legend(
        axes,
        loc="center left",
        bbox_to_anchor=(1.0, 0.5),
        fontsize=6.5,
        handlelength=0.8,
        borderaxespad=0.4,
    )


def _runs(is_in: NDArray[np.bool_]) -> list[tuple[int, int]]:
    """Return where stretches of True begin and end (one past the last)."""
    edges = np.diff(np.concatenate([[0], is_in.astype(np.int8), [0]]))
    return list(zip(np.flatnonzero(edges == 1), np.flatnonzero(edges == -1), strict=True))
