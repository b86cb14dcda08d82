"""The drawings of R2: the update at return by length of absence, exact and under Zipf's law."""

from collections.abc import Sequence
from typing import TYPE_CHECKING

import numpy as np

from herd.stability import theory
from herd.stability.reproduction.figure_style import COLOURS, SOFT, label, legend, panels
from herd.stability.reproduction.r2_sparse_rows import BETA1, RowArm
from herd.stability.reproduction.r2_zipf import ZipfTrace, class_names
from herd.stability.simulator import Array

if TYPE_CHECKING:
    from matplotlib.figure import Figure as Canvas


def draw_returns(
    arms: Sequence[RowArm], absences: Sequence[int], simulated: Array, expected: Array
) -> "Canvas":
    """Draw |u| at return `[arm, absence]`, a panel for each beta2."""
    beta2s = sorted({arm.beta2 for arm in arms})
    canvas, axes = panels(1, len(beta2s), height_inches=3.8, sharey=True)
    for ax, beta2 in zip(axes[0], beta2s, strict=True):
        of_beta2 = [i for i, arm in enumerate(arms) if arm.beta2 == beta2]
        for colour, i in zip(COLOURS, of_beta2, strict=False):
            name = arms[i].name.partition(", ")[2] or "dense"
            shown = np.maximum(absences, 0.5)  # a logarithmic axis has no 0
            ax.plot(
                shown,
                np.abs(expected[i]),
                color=colour,
                linewidth=3 if name == "dense" else 1.2,
                label=name,
            )
            ax.plot(shown, np.abs(simulated[i]), ".", color=colour, markersize=5)
        kick = theory.fresh_gradient_update(BETA1, beta2)
        ax.axhline(kick, color=SOFT, linestyle=":", linewidth=1)
        ax.annotate(f"fresh gradient, {kick:.2f}", (0.5, kick), va="bottom", fontsize=8)
        ax.set_xscale("log")
        ax.set_yscale("log")
        label(ax, f"beta2 {beta2:g}", "steps of absence", "")
    axes[0, 0].set_ylabel("|u| at return", fontsize=9)
    legend(axes[0, 0], loc="upper left")
    return canvas


def draw_zipf(zipf: ZipfTrace) -> "Canvas":
    """Draw RMS(u) of returning rows by class of absence."""
    canvas, axes = panels(1, 2, height_inches=3.8, sharey=True)
    names = class_names()
    for ax, beta2 in zip(axes[0], sorted({arm.beta2 for arm in zipf.arms}), strict=True):
        of_beta2 = [i for i, arm in enumerate(zipf.arms) if arm.beta2 == beta2]
        for colour, i in zip(COLOURS, of_beta2, strict=False):
            text = zipf.arms[i].name.partition(", ")[2] or "dense"
            ax.plot(
                range(len(names)),
                np.nanmean(zipf.update_rms[:, i], axis=0),
                "o-",
                color=colour,
                markersize=4,
                linewidth=1.2,
                label=text,
            )
        kick = theory.fresh_gradient_update(BETA1, beta2)
        ax.axhline(kick, color=SOFT, linestyle=":", linewidth=1)
        ax.axhline(theory.healthy_update_rms(BETA1), color=SOFT, linestyle="--", linewidth=1)
        ax.set_xticks(range(len(names)), names, rotation=35, ha="right", fontsize=8)
        ax.set_yscale("log")
        label(
            ax, f"beta2 {beta2:g} (dotted: fresh gradient, dashed: healthy)", "steps of absence", ""
        )
    axes[0, 0].set_ylabel("RMS of the update at return", fontsize=9)
    legend(axes[0, 0], loc="upper left")
    return canvas
