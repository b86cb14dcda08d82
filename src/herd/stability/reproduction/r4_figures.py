"""The drawings of R4: the plane of betas, and one run in time."""

from typing import TYPE_CHECKING

import numpy as np

from herd.stability.reproduction.figure_style import COLOURS, SOFT, label, legend, panels
from herd.stability.reproduction.r4_beta_plane import BetaPlane
from herd.stability.simulator import Array

if TYPE_CHECKING:
    from matplotlib.figure import Figure as Canvas

SHOWN_UPDATES = 600


def draw_plane(
    plane: BetaPlane,
    border: Array,
    fitted: tuple[float, float],
    published: tuple[float, float],
    fit_range: tuple[float, float],
) -> "Canvas":
    """Draw the crest over the plane, the border found, its fit and the published one."""
    from matplotlib.colors import LogNorm

    canvas, axes = panels(1, 1, height_inches=5.0)
    ax = axes[0, 0]
    ax.set_facecolor("#c8ccd0")
    fresh1, fresh2 = plane.one_minus_beta1, plane.one_minus_beta2
    mesh = ax.pcolormesh(
        fresh1, fresh2, plane.crest[0].T, norm=LogNorm(1.3, 20), cmap="Blues", shading="nearest"
    )
    ax.plot(fresh1, border, "x", color=COLOURS[1], markersize=6, label="border found")
    for (c, p), colour, dash, name in (
        (fitted, COLOURS[1], "-", "our fit"),
        (published, COLOURS[2], "--", "published"),
    ):
        a = np.geomspace(*fit_range, 20)
        text = f"{name}: 1 - beta2 = {c:.3g} (1 - beta1)^{p:.3g}"
        ax.plot(a, c * a**p, dash, color=colour, linewidth=1.5, label=text)
    ax.set_xscale("log")
    ax.set_yscale("log")
    ax.set_xlim(fresh1[0], fresh1[-1])
    ax.set_ylim(fresh2[0], fresh2[-1])
    ax.grid(False)
    ax.set_xticks([0.02, 0.05, 0.1, 0.2, 0.4], ["0.02", "0.05", "0.1", "0.2", "0.4"])
    ax.minorticks_off()
    label(ax, "", "1 - beta1", "1 - beta2")
    bar = canvas.colorbar(mesh, ax=ax, ticks=[1.4, 3, 5, 10, 20])
    bar.ax.minorticks_off()
    bar.ax.set_yticklabels(["1.4", "3", "5", "10", "20"])
    bar.set_label("largest |x| over its RMS", fontsize=9)
    ax.legend(fontsize=8, loc="lower right", framealpha=0.9)
    return canvas


def draw_trace(sizes: Array, roots: Array, threshold: float) -> "Canvas":
    """Draw the last updates of one run."""
    canvas, axes = panels(2, 1, height_inches=4.4, sharex=True)
    shown = slice(max(0, len(sizes) - SHOWN_UPDATES), None)
    updates = np.arange(len(sizes))[shown]
    axes[0, 0].plot(updates, sizes[shown], color=COLOURS[0], linewidth=1, label="|x|")
    axes[0, 0].plot(updates, roots[shown], color=COLOURS[1], linewidth=1, label="sqrt(v)")
    axes[1, 0].plot(updates, 1 / roots[shown], color=COLOURS[1], linewidth=1)
    axes[1, 0].axhline(threshold, color=SOFT, linestyle="--", linewidth=1)
    axes[1, 0].annotate("38/eta", (updates[0], threshold), va="bottom", fontsize=8)
    axes[0, 0].set_yscale("log")
    label(axes[0, 0], "", "", "size")
    label(axes[1, 0], "", "update", "sharpness 1/sqrt(v)")
    legend(axes[0, 0], loc="lower left")
    return canvas
