"""The drawings of R3: histograms by layer, the run over time, phase portrait, depth and batch size."""

from collections.abc import Sequence
from typing import TYPE_CHECKING

import numpy as np

from herd.stability import theory
from herd.stability.reproduction.figure_style import COLOURS, INK, SOFT, label, legend, panels
from herd.stability.reproduction.intervals import mean_interval
from herd.stability.reproduction.r3_depth_and_batch import SweepCell, common_bar, spike_share
from herd.stability.reproduction.r3_staged_arms import HISTOGRAM_STEPS, THEORY_MULTIPLE, arm_name
from herd.stability.reproduction.r3_staged_trace import HISTOGRAM_EDGE, N_BINS, StagedTrace
from herd.stability.reproduction.r3_staged_training import BETA1
from herd.stability.reproduction.result import Drawing

if TYPE_CHECKING:
    from matplotlib.figure import Figure as Canvas

SHOWN = (
    arm_name(0.999, THEORY_MULTIPLE),
    arm_name(0.95, THEORY_MULTIPLE),
    arm_name(0.999, 0.0),
    arm_name(0.999, THEORY_MULTIPLE, "v refreshed"),
)
BEFORE_STEPS, AFTER_STEPS = 10, 40
NUDGE = 0.12  # layers, so that points do not hide one another


def drawings(traces: dict[str, StagedTrace], cells: Sequence[SweepCell]) -> tuple[Drawing, ...]:
    """Return the figures of R3."""
    return (
        Drawing(
            name="histograms",
            caption="Updates by layer before, at and after the switch (beta2 0.999, epsilon 0.01 of "
            "the first gradient), all seeds together: a spike at zero while cold, then wide.",
            draw=lambda: _draw_histograms(traces[SHOWN[0]]),
        ),
        Drawing(
            name="time",
            caption="Excess loss over the weights frozen at the switch, norm, alignment and cold "
            "fraction of the embedding (mean over seeds). Dashed: the healthy norm.",
            draw=lambda: _draw_time(traces),
        ),
        Drawing(
            name="phase-portrait",
            caption="Norm against alignment from the last cold step (dot) on, by layer. Lower right "
            "is large and against descent.",
            draw=lambda: _draw_phase(traces[SHOWN[0]]),
        ),
        Drawing(
            name="sweep",
            caption="Spike share (Wilson interval) and largest excess (Student's) against depth, "
            "one line a batch size.",
            draw=lambda: _draw_sweep(cells),
        ),
    )


def _draw_histograms(trace: StagedTrace) -> "Canvas":
    names = list(trace.task.shape.layers)
    rows = sorted({0, 1, len(names) // 2, len(names) - 2, len(names) - 1})
    canvas, axes = panels(len(rows), len(HISTOGRAM_STEPS), height_inches=1.35 * len(rows))
    edges = np.linspace(-HISTOGRAM_EDGE, HISTOGRAM_EDGE, N_BINS + 1)
    for row, layer in enumerate(rows):
        for column, k in enumerate(HISTOGRAM_STEPS):
            ax = axes[row, column]
            ax.stairs(trace.histograms[k][layer], edges, fill=True, color=COLOURS[row])
            ax.set_yticks([])
            rms = trace.update_rms[:, trace.switch + k, layer].mean()
            label(ax, f"{'cold' if k < 0 else f'k = {k}'}, RMS {rms:.2g}", "", "")
            ax.title.set_fontsize(8.5)
        axes[row, 0].set_ylabel(names[layer], fontsize=9, color=INK)
    for ax in axes[-1]:
        ax.set_xlabel("update u", fontsize=9)
    return canvas


def _draw_time(traces: dict[str, StagedTrace]) -> "Canvas":
    canvas, axes = panels(4, 1, height_inches=7.6, sharex=True)
    for colour, name in zip(COLOURS, SHOWN, strict=False):
        trace = traces[name]
        last = min(AFTER_STEPS, trace.task.n_awake_steps)
        steps = np.arange(-BEFORE_STEPS, last)
        at = trace.switch + steps
        series = (
            trace.loss_nats[:, at] - trace.frozen_loss_nats[:, at],
            trace.update_rms[:, at, 0],
            trace.alignment[:, at, 0],
            trace.cold_fraction[:, at, 0],
        )
        for ax, values in zip(axes[:, 0], series, strict=True):
            ax.plot(steps, values.mean(0), color=colour, linewidth=1.2, label=name)
            ax.axvline(0, color=SOFT, linewidth=0.8)
    names = ("excess loss, nats", "RMS of the update", "alignment", "cold fraction")
    for ax, name in zip(axes[:, 0], names, strict=True):
        label(ax, "", "", name)
    axes[1, 0].axhline(theory.healthy_update_rms(BETA1), color=SOFT, linestyle="--", linewidth=1)
    axes[3, 0].set_xlabel("steps since the switch", fontsize=9)
    legend(axes[0, 0], ncols=2)
    return canvas


def _draw_phase(trace: StagedTrace) -> "Canvas":
    canvas, axes = panels(1, 1, height_inches=4.8)
    ax = axes[0, 0]
    names, last = list(trace.task.shape.layers), trace.task.n_awake_steps - 1
    rows = sorted({0, 1, len(names) // 2, len(names) - 2, len(names) - 1})
    for colour, layer in zip(COLOURS, rows, strict=False):
        # the alignment of u_{t-1} is known one step later
        norm = trace.update_rms[:, trace.switch - 1 : trace.switch + last, layer].mean(0)
        alignment = trace.alignment[:, trace.switch : trace.switch + last + 1, layer].mean(0)
        ax.plot(norm, alignment, ".-", color=colour, linewidth=1, markersize=3, label=names[layer])
        ax.plot(norm[0], alignment[0], "o", color=colour, markersize=6)
    ax.set_xscale("log")
    ax.set_ylim(-1, 1)
    ax.axhline(0, color=SOFT, linewidth=0.8)
    ax.axvline(theory.healthy_update_rms(BETA1), color=SOFT, linestyle="--", linewidth=1)
    label(ax, "", "RMS of the update u_{t-1}", "alignment cos(g_t, u_{t-1})")
    legend(ax, loc="upper left")
    return canvas


def _draw_sweep(cells: Sequence[SweepCell]) -> "Canvas":
    arms = list(dict.fromkeys(cell.arm for cell in cells))
    canvas, axes = panels(2, len(arms), height_inches=6.0, sharex=True)
    bar = common_bar(cells)
    for column, arm in enumerate(arms):
        of_arm = [cell for cell in cells if cell.arm == arm]
        for i, batch in enumerate(sorted({c.batch_size for c in of_arm})):
            line = [cell for cell in of_arm if cell.batch_size == batch]
            depths = [cell.depth + NUDGE * i for cell in line]
            shares = [spike_share([cell], bar) for cell in line]
            excesses = [mean_interval(cell.excess_nats) for cell in line]
            for row, estimates in enumerate((shares, excesses)):
                middle = np.array([e.mean for e in estimates])
                ends = np.array([[e.mean - e.low, e.high - e.mean] for e in estimates]).T
                axes[row, column].errorbar(
                    depths, middle, yerr=np.maximum(np.nan_to_num(ends), 0.0), color=COLOURS[i],
                    marker="o", markersize=4, linewidth=1.2, capsize=2, label=f"batch {batch}",
                )  # fmt: skip
        label(axes[0, column], arm, "", "spike share")
        label(axes[1, column], "", "layers", "largest excess, nats")
        axes[0, column].set_ylim(-0.05, 1.05)
    legend(axes[1, 0])
    return canvas
