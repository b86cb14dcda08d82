"""The drawings of R0: histograms, the awakening over time, signal against noise."""

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any

import numpy as np

from herd.stability.reproduction import r0_golden as golden
from herd.stability.reproduction.figure_style import COLOURS, INK, SOFT, label, legend, panels
from herd.stability.simulator import Array

if TYPE_CHECKING:
    from matplotlib.figure import Figure as Canvas

SHOWN_RHOS = (0.0, 0.5, 0.9, 0.99)


def draw_histograms(u: Array, beta2s: Sequence[float], rhos: Sequence[float]) -> "Canvas":
    """Draw the updates `[beta2, rho, coordinate]` for beta2 0.95 and 0.999."""
    canvas, axes = panels(2, len(SHOWN_RHOS), height_inches=4.2, sharex=True)
    for row, beta2 in enumerate((0.95, 0.999)):
        for column, rho in enumerate(SHOWN_RHOS):
            ax, updates = axes[row, column], u[beta2s.index(beta2), rhos.index(rho)]
            ax.hist(updates, bins=61, range=(-1.5, 1.5), color=COLOURS[row], density=True)
            ax.set_yticks([])
            title = f"correlation {rho:g}, RMS {np.sqrt((updates**2).mean()):.2f}"
            label(ax, title, "update u of a coordinate" if row else "", "")
            ax.title.set_fontsize(8.5)
        axes[row, 0].set_ylabel(f"density, beta2 {beta2}", fontsize=9)
    return canvas


def draw_awakening(means: Mapping[tuple[Any, ...], float], kick: float) -> "Canvas":
    """Draw norm and bimodality against steps since the awakening."""
    canvas, axes = panels(1, 2, height_inches=3.4)
    steps = range(30)
    names = {"update_rms": "RMS of the update", "bimodality": "bimodality coefficient"}
    for column, (name, title) in enumerate(names.items()):
        ax = axes[0, column]
        for colour, (rho, printed) in zip(COLOURS, golden.AWAKENING.items(), strict=False):
            values = [means["awakening", rho, k, name] for k in steps]
            ax.plot(steps, values, color=colour, label=f"correlation {rho:g} once awake")
            crosses = [float(pair[column]) for pair in printed]
            ax.plot(golden.AWAKENING_STEPS, crosses, "x", color=colour, markersize=6)
        label(ax, title, "steps since the awakening", title)
    axes[0, 0].axhline(kick, color=SOFT, linestyle=":", linewidth=1)
    axes[0, 0].annotate("one fresh gradient", (29, kick), ha="right", va="bottom", fontsize=8)
    axes[0, 0].axhline(0.2294, color=SOFT, linestyle="--", linewidth=1)
    axes[0, 0].annotate("healthy", (29, 0.2294), ha="right", va="top", fontsize=8)
    axes[0, 0].set_ylim(0.15, 1.12)
    axes[0, 1].axhline(5 / 9, color=SOFT, linestyle="--", linewidth=1)
    axes[0, 1].annotate("flat distribution, 5/9", (29, 5 / 9), ha="right", va="bottom", fontsize=8)
    legend(axes[0, 0])
    return canvas


def draw_confound(
    means: Mapping[tuple[Any, ...], float], rhos: Sequence[float], signals: Sequence[float]
) -> "Canvas":
    """Draw bimodality and alignment against the norm, for signals and for persistent noise."""
    canvas, axes = panels(1, 2, height_inches=3.4)
    names = {"bimodality": "bimodality coefficient", "alignment": "alignment cos(g_t, u_{t-1})"}
    for column, (name, title) in enumerate(names.items()):
        ax = axes[0, column]
        signal = [
            (means["biased", s, "update_rms"], means["biased", s, name], f"{s:g}") for s in signals
        ]
        noise = [
            (means[*key, "update_rms"], means[*key, name], f"{key[-1]:g}")
            for key in (("correlated", 300, 0.95, rho) for rho in rhos)
        ]
        for points, colour, mark, what in (
            (signal, COLOURS[2], "o", "true signal, by SNR per coordinate"),
            (noise, COLOURS[1], "s", "noise that persists, by rho"),
        ):
            ax.plot(
                *zip(*[p[:2] for p in points], strict=True), mark + "-", color=colour, label=what
            )
            for x, y, text in points:
                ax.annotate(
                    text, (x, y), xytext=(4, -9), textcoords="offset points", fontsize=7, color=INK
                )
        label(ax, title, "RMS of the update", title)
    legend(axes[0, 0])
    return canvas
