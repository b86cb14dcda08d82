"""The shape of the update before, at and after an alarm: a bell, two humps, a bell again.

In: a `RunReading` and its episodes. Out: one drawing of three panels for each layer that rang the alarm
first, from the histograms that the log holds near it.
"""

from collections.abc import Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

from herd.foundation import FIRST, INK, SOFT, PageFigure, page_svg, printable, style_axes
from herd.stability.report_episodes import WHOLE_RUN, Episode
from herd.stability.run_reading import RunReading, read_histograms
from herd.stability.theory import fresh_gradient_update
from herd.stability.verdict import Level

MOST_LAYERS = 6
EDGE = 1.3  # histograms span -1.3 to 1.3
SIZE_INCHES = (7.6, 1.9)
Shapes = dict[int, dict[str, list[NDArray[np.float64]]]]


def draw_histograms(reading: RunReading, episodes: Sequence[Episode]) -> list[PageFigure]:
    """Return the drawings of the layers that alarmed, the first alarms first."""
    first: dict[str, Episode] = {}
    for each in sorted(episodes, key=lambda episode: episode.worst_at):
        if each.worst is Level.ALARM and each.layer != WHOLE_RUN:
            first.setdefault(each.layer, each)
    chosen = list(first.values())[:MOST_LAYERS]
    places = {each.layer: _steps_around(reading, each) for each in chosen}
    wanted = {step for steps in places.values() for step in steps.values()}
    shapes = {step: read_histograms(reading, step) for step in sorted(wanted)}
    drawn = [_draw(reading, each, places[each.layer], shapes) for each in chosen]
    return [figure for figure in drawn if figure is not None]


def _steps_around(reading: RunReading, episode: Episode) -> dict[str, int]:
    """Return the steps with histograms that are nearest before, at and after the alarm."""
    steps = np.array(sorted(reading.histogram_places), dtype=np.int64)
    before = steps[steps < episode.first]
    cold = steps[(steps >= episode.first) & (steps < episode.worst_at)]
    at = steps[(steps >= episode.worst_at) & (steps <= episode.last)]
    after = steps[steps > episode.last]
    found = {}
    if len(before) or len(cold):
        found["before"] = int((cold if len(cold) else before)[-1])
    if len(at):
        found["at the alarm"] = int(at[0])
    if len(after):
        found["after"] = int(after[0])
    return found


def _draw(
    reading: RunReading, episode: Episode, places: dict[str, int], shapes: Shapes
) -> PageFigure | None:
    panels = {
        moment: (step, shapes[step][episode.layer])
        for moment, step in places.items()
        if episode.layer in shapes[step]
    }
    if not panels:
        return None
    from matplotlib.figure import Figure as Canvas

    canvas = Canvas(figsize=SIZE_INCHES, layout="constrained")
    for axes, moment in zip(
        canvas.subplots(1, 3), ("before", "at the alarm", "after"), strict=True
    ):
        if moment in panels:
            step, (share_all, share_active) = panels[moment]
            _draw_panel(axes, reading, share_all, share_active)
            axes.set_title(f"{moment}, step {step:,}", fontsize=8, color=INK, loc="left")
        else:
            axes.set_axis_off()
            axes.text(0.5, 0.5, f"{moment}: not in the log", color=SOFT, ha="center", fontsize=8)
    title = printable(episode.layer, 80)
    return PageFigure(title=title, svg=page_svg(canvas, f"histogram {title}"), wide=True)


def _draw_panel(
    axes: Any,
    reading: RunReading,
    share_all: NDArray[np.float64],
    share_active: NDArray[np.float64],
) -> None:
    for shares, options in (
        (share_active, {"color": FIRST, "alpha": 0.75, "fill": True}),
        (share_all, {"color": SOFT, "linewidth": 1.0}),
    ):
        edges = np.linspace(-EDGE, EDGE, len(shares) + 1)
        axes.stairs(100 * shares, edges, **options)
    style_axes(axes, x_label="update of a coordinate", y_label="% of coordinates")
    axes.xaxis.set_major_formatter("{x:g}")
    axes.tick_params(labelsize=8)
    for label in (axes.xaxis.label, axes.yaxis.label):
        label.set_size(8)
    axes.set_xlim(-EDGE, EDGE)
    # A layer that is cold has nearly all its coordinates in the middle bins: cut, to see the rest.
    humps = 100 * max(float(share_active.max(initial=0)), 0.02)
    axes.set_ylim(0, 1.15 * min(100 * float(share_all.max(initial=0)) + 0.1, 2.5 * humps))
    betas = reading.constants.get("beta1"), reading.constants.get("beta2")
    if betas[0] is not None and betas[1] is not None:
        kick = fresh_gradient_update(betas[0], betas[1])
        for sign in (-1, 1):
            if kick < EDGE:
                axes.axvline(sign * kick, color=INK, linewidth=0.8, linestyle=":")
