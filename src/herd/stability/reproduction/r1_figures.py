"""The drawings of R1: the run over time, histograms, phase portrait, spike score by constants."""

from typing import TYPE_CHECKING, Any

import numpy as np

from herd.stability import theory
from herd.stability.reproduction import r1_sweep as sweep
from herd.stability.reproduction.figure_style import COLOURS, INK, SOFT, label, legend, panels
from herd.stability.reproduction.intervals import mean_interval
from herd.stability.reproduction.r1_chain_results import at_peak
from herd.stability.reproduction.r1_gain_step import BETA1, Arm, GainStepTrace
from herd.stability.reproduction.r1_gated_chain import N_STEPS_A, ChainTrace
from herd.stability.reproduction.result import Drawing

if TYPE_CHECKING:
    from matplotlib.figure import Figure as Canvas

SHOWN = tuple(Arm(beta2=b, epsilon=e) for e in (1e-6, 1e-8) for b in (0.95, 0.999))
GUARDED = Arm(beta2=0.999, epsilon=1e-6, cold_guard=True)
STEPS = (-1, 0, 1, 4, 9, 29)


def drawings(trace: GainStepTrace, grid: GainStepTrace, chain: ChainTrace) -> tuple[Drawing, ...]:
    """Return the figures of R1."""
    return (
        Drawing(
            name="time",
            caption="Loss, norm and alignment around the switch (mean over seeds, band: 95 % interval). "
            "Dashed: the healthy norm.",
            draw=lambda: _draw_time(trace),
        ),
        Drawing(
            name="histograms",
            caption="Updates before (last cold step), at and after the awakening, all seeds together: one spike at "
            "zero while cold (epsilon 1e-6), two points at the kick, a bell again when v has caught up.",
            draw=lambda: _draw_histograms(trace),
        ),
        Drawing(
            name="phase-portrait",
            caption="Norm against alignment, from the step before the switch (dot) on. Faults leave to "
            "the lower right; the healthy awakenings of the gated chain (crosses) to the upper right.",
            draw=lambda: _draw_phase(trace, chain),
        ),
        Drawing(
            name="spike-score",
            caption="Spike score against epsilon and beta2, with 95 % intervals; grey: the score of noise. "
            "Left to right, drift gives way to freezing.",
            draw=lambda: _draw_scores(grid),
        ),
    )


def _draw_time(trace: GainStepTrace) -> "Canvas":
    canvas, axes = panels(3, 1, height_inches=6.6, sharex=True)
    switch = trace.task.n_cold_steps
    steps = np.arange(-40, 80)
    series = (
        ("loss, nats", trace.loss_nats, "log"),
        ("RMS of the update", trace.update_rms, "log"),
        ("alignment", trace.alignment, "linear"),
    )
    for ax, (name, values, scale) in zip(axes[:, 0], series, strict=True):
        for colour, arm in zip(COLOURS, (*SHOWN, GUARDED), strict=False):
            of_arm = values[:, switch + steps, trace.arms.index(arm)]
            estimates = [mean_interval(column) for column in of_arm.T]
            middle = [e.mean for e in estimates]
            ax.plot(steps, middle, color=colour, linewidth=1.2, label=arm.name)
            ax.fill_between(
                steps,
                [e.low for e in estimates],
                [e.high for e in estimates],
                color=colour,
                alpha=0.2,
                linewidth=0,
            )
        ax.set_yscale(scale)
        ax.axvline(0, color=SOFT, linewidth=0.8)
        label(ax, "", "", name)
    axes[1, 0].axhline(theory.healthy_update_rms(BETA1), color=SOFT, linestyle="--", linewidth=1)
    axes[0, 0].set_yticks([0.3, 0.5, 1, 2], ["0.3", "0.5", "1", "2"])
    axes[0, 0].minorticks_off()
    axes[2, 0].axhline(0, color=SOFT, linewidth=0.8)
    axes[2, 0].set_xlabel("steps since the switch", fontsize=9)
    legend(axes[0, 0], ncols=2)
    return canvas


def _draw_histograms(trace: GainStepTrace) -> "Canvas":
    canvas, axes = panels(len(SHOWN), len(STEPS), height_inches=6.4)
    for row, arm in enumerate(SHOWN):
        edge = 1.25 if arm.beta2 == 0.95 else 6.0
        index = trace.arms.index(arm)
        for column, k in enumerate(STEPS):
            ax = axes[row, column]
            u = trace.updates[trace.task.n_cold_steps + k][:, :, index].ravel()
            ax.hist(np.clip(u, -edge, edge), bins=41, range=(-edge, edge), color=COLOURS[row])
            ax.set_yticks([])
            title = "cold" if k < 0 else f"k = {k}"
            label(ax, f"{title}, RMS {np.sqrt((u**2).mean()):.2g}", "", "")
            ax.title.set_fontsize(8.5)
            ax.tick_params(labelsize=8)
        axes[row, 0].set_ylabel(f"beta2 {arm.beta2:g}\neps {arm.epsilon:g}", fontsize=9, color=INK)
    for ax in axes[-1]:
        ax.set_xlabel("update u", fontsize=9)
    return canvas


def _draw_phase(trace: GainStepTrace, chain: ChainTrace) -> "Canvas":
    canvas, axes = panels(1, 1, height_inches=4.8)
    ax = axes[0, 0]
    switch = trace.task.n_cold_steps
    for colour, arm in zip(COLOURS, (*SHOWN, GUARDED), strict=False):
        index = trace.arms.index(arm)
        # the alignment of u_{t-1} is known one step later
        norm = trace.update_rms[:, switch - 1 : switch + 30, index].mean(0)
        alignment = trace.alignment[:, switch : switch + 31, index].mean(0)
        ax.plot(norm, alignment, "-", color=colour, linewidth=1, label=arm.name)
        ax.plot(norm, alignment, ".", color=colour, markersize=3)
        ax.plot(norm[0], alignment[0], "o", color=colour, markersize=6)
    rms, alignment, _ = at_peak(chain)
    awake = rms > 0.5
    ax.plot(
        rms[awake],
        alignment[awake],
        "x",
        color=COLOURS[5],
        markersize=5,
        label="gated chain, at its peak",
    )
    early = chain.update_rms[0, N_STEPS_A // 2 : N_STEPS_A - 1, 0]
    after = chain.alignment[0, N_STEPS_A // 2 + 1 : N_STEPS_A, 0]
    ax.plot(
        early,
        after,
        ".",
        color=COLOURS[6],
        markersize=2,
        alpha=0.6,
        label="gated chain, healthy noise",
    )
    ax.set_xscale("log")
    ax.axhline(0, color=SOFT, linewidth=0.8)
    ax.axvline(theory.healthy_update_rms(BETA1), color=SOFT, linestyle="--", linewidth=1)
    ax.annotate("healthy norm", (theory.healthy_update_rms(BETA1), -0.95), fontsize=8, color=INK)
    ax.annotate(
        "large and against descent", (0.98, 0.03), xycoords="axes fraction", ha="right", fontsize=9
    )
    ax.annotate(
        "large and downhill", (0.98, 0.95), xycoords="axes fraction", ha="right", fontsize=9
    )
    ax.set_ylim(-1, 1)
    label(ax, "", "RMS of the update u_{t-1}", "alignment cos(g_t, u_{t-1})")
    legend(ax, loc="lower left")
    return canvas


def _draw_scores(grid: GainStepTrace) -> "Canvas":
    canvas, axes = panels(1, 1, height_inches=4.0)
    ax = axes[0, 0]
    scores: Any = sweep.epsilon_scores(grid)
    positions = range(len(sweep.EPSILONS))
    for j, beta2 in enumerate(sweep.BETA2S):
        estimates = [mean_interval(scores[:, i, j]) for i in positions]
        ax.errorbar(
            positions,
            [e.mean for e in estimates],
            yerr=[e.half_width for e in estimates],
            color=COLOURS[j],
            marker="o",
            markersize=4,
            linewidth=1.2,
            capsize=2,
            label=f"beta2 {beta2:g}",
        )
    ax.axhspan(1.5, 3.2, color=SOFT, alpha=0.15, linewidth=0)
    ax.set_xticks(positions, [f"{e:g}" for e in sweep.EPSILONS])
    ax.set_yscale("log")
    label(
        ax,
        "",
        "epsilon (gradients are about 3e-8 while cold, 3e-2 awake)",
        "spike score, standard deviations",
    )
    legend(ax)
    return canvas
