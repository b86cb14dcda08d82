"""The drawings of a stability report: verdicts under the loss, and maps of layers by steps.

In: a `RunReading`, a span of it. Out: `PageFigure`s that share one axis of steps, so that what stands
one above the other happened at the same time.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from herd.foundation import (
    BAD,
    CALM,
    FIRST,
    GOOD,
    INK,
    SOFT,
    WARN,
    PageFigure,
    page_svg,
    printable,
    style_axes,
    style_legend,
)
from herd.stability.report_bins import Columns, envelope
from herd.stability.report_episodes import BY_CONCERN, CONCERN
from herd.stability.run_reading import RunReading
from herd.stability.theory import healthy_update_rms
from herd.stability.verdict import Level

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure as Canvas

TONE = {Level.OK: GOOD, Level.RECOVERY: CALM, Level.WATCH: WARN, Level.ALARM: BAD}
WIDTH, LEFT, RIGHT = 9.2, 1.8, 1.0  # inches: the same in every drawing, so that steps line up
TOP, BOTTOM = 0.12, 0.5
LABEL_CHARS = 28
MOST_LABELS = 110
LARGE = 1e6  # stands for infinity on a map


@dataclass(frozen=True, kw_only=True, slots=True)
class Map:
    """How a statistic is drawn: `low` and `high` are the ends of its colours."""

    column: str
    title: str
    unit: str
    note: str
    colours: str
    reduce: Any
    low: float
    high: float
    mark: float | None = None


def draw_timeline(
    reading: RunReading,
    losses: tuple[NDArray[np.int64], NDArray[np.float64]],
    *,
    title: str = "Verdicts under the loss",
) -> PageFigure:
    """Return the loss over the run's verdicts and what was done."""
    canvas, height = _canvas(2.9)
    loss_axes = _axes(canvas, height, bottom=1.25, tall=height - 1.25 - TOP)
    strip = _axes(canvas, height, bottom=BOTTOM, tall=0.62)
    _draw_loss(loss_axes, reading, losses)
    _draw_verdicts(strip, reading)
    for axes in (loss_axes, strip):
        _set_steps(axes, reading)
    loss_axes.set_xlabel("")
    loss_axes.tick_params(labelbottom=False)
    return PageFigure(
        title=title,
        svg=page_svg(canvas, title),
        note="Where a column holds several steps, the loss shows its least and greatest value and "
        "the verdict is the worst one. Triangles: an intervention begins or acts; hollow: it ends.",
        wide=True,
    )


def draw_maps(reading: RunReading, *, where: str = "") -> list[PageFigure]:
    """Return the maps of layers by steps of every statistic that is known anywhere."""
    drawn = []
    for each in _maps(reading):
        values_NL = reading.columns_NL[each.column]
        if not np.isnan(values_NL).all():
            drawn.append(_draw_map(reading, each, values_NL, where))
    return drawn


def _maps(reading: RunReading) -> Sequence[Map]:
    beta1 = reading.constants.get("beta1", 0.9)
    healthy = healthy_update_rms(beta1)
    most_rms = _finite_extreme(reading.columns_NL["update_rms"], 1.0)
    swing = min(1.0, max(0.2, _finite_extreme(reading.columns_NL["alignment"], 0.998)))
    return (
        Map(
            column="update_rms",
            title="Update RMS",
            unit="RMS of the update",
            note=f"Mark on the scale: {healthy:.2f}, the healthy value for beta1 {beta1:g}. The "
            "greatest of the steps in a column.",
            colours="viridis",
            reduce=np.fmax,
            low=0.0,
            high=min(max(2 * healthy, most_rms), 10.0),
            mark=healthy,
        ),
        Map(
            column="alignment",
            title="Alignment",
            unit="cosine of g(t) and u(t-1)",
            note="Blue: the update goes downhill. White: it has nothing to do with the gradient. "
            "Red: uphill. The lowest of the steps in a column.",
            colours="RdBu",
            reduce=np.fmin,
            low=-swing,
            high=swing,
        ),
        Map(
            column="cold_fraction",
            title="Cold fraction",
            unit="share of coordinates",
            note="Coordinates whose sqrt(v) is below epsilon: they hardly move, and their next "
            "large gradient moves them by the same amount whatever its size.",
            colours="cividis",
            reduce=np.fmax,
            low=0.0,
            high=1.0,
        ),
    )


def _draw_map(
    reading: RunReading, each: Map, values_NL: NDArray[np.float32], where: str
) -> PageFigure:
    n_layers = len(reading.layers)
    row = 0.22 if n_layers <= 24 else 0.15 if n_layers <= MOST_LABELS else 0.06
    canvas, height = _canvas(max(1.2, row * n_layers) + TOP + BOTTOM)
    axes = _axes(canvas, height, bottom=BOTTOM, tall=height - TOP - BOTTOM)
    columns = Columns.over(reading.step_N)
    values_NL = np.nan_to_num(values_NL, nan=np.nan, posinf=LARGE, neginf=-LARGE)
    image = axes.imshow(
        columns.reduced(values_NL, each.reduce).T.astype(np.float32),
        aspect="auto",
        interpolation="none",
        cmap=each.colours,
        vmin=each.low,
        vmax=each.high,
        extent=(columns.first - 0.5, columns.last + 0.5, n_layers - 0.5, -0.5),
    )
    _set_steps(axes, reading)
    axes.grid(visible=False)
    _name_rows(axes, reading.layers, size=8 if n_layers <= 24 else 6.5)
    _draw_scale(canvas, height, image, each)
    title = f"{each.title}, layers by steps{where}"
    return PageFigure(title=title, svg=page_svg(canvas, title), note=each.note, wide=True)


def _name_rows(axes: "Axes", layers: Sequence[str], size: float) -> None:
    """Write the layers' names, every one unless there are too many to read."""
    stride = -(-len(layers) // MOST_LABELS)
    rows = list(range(0, len(layers), stride))
    axes.set_yticks(rows)
    axes.set_yticklabels(
        [printable(layers[row], LABEL_CHARS) for row in rows],
        fontsize=size,
        color=INK,
        parse_math=False,
    )
    axes.tick_params(axis="y", length=0)


def _draw_scale(canvas: "Canvas", height: float, image: Any, each: Map) -> None:
    tall = min(height - TOP - BOTTOM, 3.0)
    place = ((WIDTH - RIGHT + 0.12) / WIDTH, (height - TOP - tall) / height)
    axes = canvas.add_axes((*place, 0.12 / WIDTH, tall / height))
    axes.imshow(
        np.linspace(each.high, each.low, 128)[:, None],
        aspect="auto",
        interpolation="none",
        cmap=image.get_cmap(),
        extent=(0, 1, each.low, each.high),
    )
    axes.set_xticks([])
    axes.yaxis.tick_right()
    axes.yaxis.set_label_position("right")
    axes.tick_params(colors=SOFT, labelcolor=SOFT, labelsize=7)
    axes.set_ylabel(each.unit, color=SOFT, fontsize=7.5)
    for spine in axes.spines.values():
        spine.set_visible(False)
    if each.mark is not None:
        axes.plot([-0.7, 1.0], [each.mark, each.mark], color=INK, linewidth=1.4, clip_on=False)
        axes.set_xlim(0, 1)


def _draw_loss(
    axes: "Axes", reading: RunReading, losses: tuple[NDArray[np.int64], NDArray[np.float64]]
) -> None:
    steps, values = losses
    inside = (steps >= reading.step_N[0]) & (steps <= reading.step_N[-1])
    steps, values = steps[inside], values[inside]
    if np.isfinite(values).sum() < 2:
        steps, values = reading.step_N, reading.loss_N
    drawn_steps, drawn = envelope(steps, values)
    if len(drawn):
        axes.plot(drawn_steps, drawn, color=FIRST, linewidth=1.1)
        if drawn.min() > 0 and drawn.max() > 30 * drawn.min():
            axes.set_yscale("log")
    lost = steps[~np.isfinite(values) & (steps > 0)] if len(drawn) else steps[:0]
    known_lost = lost[:200]
    axes.plot(
        known_lost,
        np.full(len(known_lost), 0.97),
        transform=axes.get_xaxis_transform(),
        color=BAD,
        linestyle="",
        marker="x",
        markersize=5,
        label="loss not finite",
    )
    style_axes(axes, x_label="", y_label="loss, nats")
    if len(known_lost):
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
            steps[:500],
            [1.35] * len(steps[:500]),
            linestyle="",
            marker="v",
            markersize=5,
            color=INK,
            markerfacecolor="none" if undone else INK,
        )
    style_axes(axes, x_label="step", y_label="")
    axes.grid(visible=False)
    axes.set_ylim(0, 1.75)
    axes.set_yticks([0.5, 1.35], labels=["verdict", "what was done"], fontsize=8, color=INK)
    axes.tick_params(axis="y", length=0)
    axes.spines["left"].set_visible(False)
    style_legend(
        axes,
        loc="center left",
        bbox_to_anchor=(1.0, 0.5),
        fontsize=7.5,
        handlelength=0.8,
        borderaxespad=0.4,
    )


def _runs(is_in: NDArray[np.bool_]) -> list[tuple[int, int]]:
    """Return where stretches of True begin and end (one past the last)."""
    edges = np.diff(np.concatenate([[0], is_in.astype(np.int8), [0]]))
    return list(zip(np.flatnonzero(edges == 1), np.flatnonzero(edges == -1), strict=True))


def _canvas(height: float) -> "tuple[Canvas, float]":
    from matplotlib.figure import Figure as Canvas

    return Canvas(figsize=(WIDTH, height)), height


def _axes(canvas: "Canvas", height: float, *, bottom: float, tall: float) -> "Axes":
    width = (WIDTH - LEFT - RIGHT) / WIDTH
    return canvas.add_axes((LEFT / WIDTH, bottom / height, width, tall / height))


def _set_steps(axes: "Axes", reading: RunReading) -> None:
    style_axes(axes, x_label="step", y_label=axes.get_ylabel())
    axes.set_xlim(int(reading.step_N[0]) - 0.5, int(reading.step_N[-1]) + 0.5)


def _finite_extreme(values_NL: NDArray[np.float32], quantile: float) -> float:
    finite = np.abs(values_NL[np.isfinite(values_NL)])
    return float(np.quantile(finite, quantile)) if len(finite) else 0.0
