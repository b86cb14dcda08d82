"""Maps of layers by steps: how large the update is, whether it goes downhill, how much is cold.

In: a `RunReading`. Out: a `PageFigure` for each statistic, rows in the model's order, the first layer on
top; many steps share a column, which shows the one that concerns most.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from herd.foundation import INK, SOFT, PageFigure, page_svg, printable
from herd.stability.report_axes import (
    BOTTOM,
    LABEL_CHARS,
    RIGHT,
    TOP,
    WIDTH,
    new_canvas,
    run_axes,
    set_steps,
)
from herd.stability.report_bins import Columns
from herd.stability.run_reading import RunReading
from herd.stability.theory import healthy_update_rms

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure as Canvas

FEW_LAYERS, MOST_LABELS = 24, 110
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
    row = 0.18 if n_layers <= FEW_LAYERS else 0.12 if n_layers <= MOST_LABELS else 0.06
    tall = max(1.2, row * n_layers)
    canvas = new_canvas(tall + TOP + BOTTOM)
    axes = run_axes(canvas, reading, bottom=BOTTOM, tall=tall)
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
    set_steps(axes, reading)
    axes.grid(visible=False)
    _name_rows(axes, reading.layers, size=7 if n_layers <= FEW_LAYERS else 6)
    _draw_scale(canvas, image, each)
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


def _draw_scale(canvas: "Canvas", image: Any, each: Map) -> None:
    height = canvas.get_figheight()
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
    axes.set_ylabel(each.unit, color=SOFT, fontsize=7)
    for spine in axes.spines.values():
        spine.set_visible(False)
    if each.mark is not None:
        axes.plot([-0.7, 1.0], [each.mark, each.mark], color=INK, linewidth=1.4, clip_on=False)
        axes.set_xlim(0, 1)


def _finite_extreme(values_NL: NDArray[np.float32], quantile: float) -> float:
    finite = np.abs(values_NL[np.isfinite(values_NL)])
    return float(np.quantile(finite, quantile)) if len(finite) else 0.0
