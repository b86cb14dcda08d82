"""The axes of a stability report's drawings: one width, one axis of steps.

In: what a run's layers are called, its span of steps. Out: a canvas and axes whose margins are the
same in every drawing of a run, so that what stands one above the other happened at the same time.
"""

from typing import TYPE_CHECKING

from herd.foundation import printable, style_axes
from herd.stability.run_reading import RunReading

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure as Canvas

WIDTH, TOP, RIGHT, BOTTOM = 7.6, 0.12, 0.85, 0.5  # inches
LEFT, LEFT_MOST = 0.95, 1.55
INCHES_A_CHAR = 0.058
LABEL_CHARS = 28


def new_canvas(height: float) -> "Canvas":
    """Return an empty drawing of `height` inches."""
    from matplotlib.figure import Figure as Canvas

    return Canvas(figsize=(WIDTH, height))


def run_axes(canvas: "Canvas", reading: RunReading, *, bottom: float, tall: float) -> "Axes":
    """Return axes `tall` inches high, `bottom` inches above the drawing's lower edge."""
    height = canvas.get_figheight()
    longest = max(len(printable(layer, LABEL_CHARS)) for layer in reading.layers)
    left = min(LEFT_MOST, max(LEFT, 0.15 + INCHES_A_CHAR * longest))
    width = (WIDTH - left - RIGHT) / WIDTH
    return canvas.add_axes((left / WIDTH, bottom / height, width, tall / height))


def set_steps(axes: "Axes", reading: RunReading) -> None:
    """Give axes the run's steps, and the look of the page."""
    style_axes(axes, x_label="step", y_label=axes.get_ylabel())
    axes.xaxis.label.set_fontsize(8)
    axes.yaxis.label.set_fontsize(8)
    axes.tick_params(axis="x", labelsize=8)
    axes.set_xlim(int(reading.step_N[0]) - 0.5, int(reading.step_N[-1]) + 0.5)
