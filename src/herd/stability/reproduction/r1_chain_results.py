"""What the gated chain showed: its table, and whether it stayed the healthy awakening it should be."""

import numpy as np

from herd.stability.reproduction.intervals import mean_interval, share_interval
from herd.stability.reproduction.r1_gated_chain import N_STEPS_A, ChainArm, ChainTrace
from herd.stability.reproduction.result import Cell, Check, Table
from herd.stability.simulator import Array

CHAIN_SEEDS = 6
CHAIN_ARMS = tuple(
    ChainArm(epsilon=epsilon, n_gates=n)
    for n in (2, 6)
    for epsilon in (0.0, 1e-12, 1e-8, 1e-6, 1e-4)
)
AWAKE_RMS = 0.5  # a vector that trains at all passes this; a stuck one stays below 0.05
SPIKE = 6.0
AROUND_STEPS = 40


def chain_table(trace: ChainTrace) -> Table:
    """Return one row a chain, over seeds; peak and alignment over the seeds that awakened."""
    peak_rms, alignment, step = at_peak(trace)
    rows: list[tuple[Cell, ...]] = []
    for i, arm in enumerate(trace.arms):
        awake = peak_rms[:, i] > AWAKE_RMS
        late = trace.loss_nats[:, N_STEPS_A:, i]
        rows.append(
            (
                arm.epsilon,
                arm.n_gates,
                share_interval(int(awake.sum()), len(awake)),
                mean_interval(peak_rms[awake, i]),
                mean_interval(step[awake, i]),
                mean_interval(alignment[awake, i]),
                mean_interval(late[:, 0]),
                mean_interval(late.max(1)),
                mean_interval(late[:, -20:].mean(1)),
            )
        )
    return Table(
        name="gated-chain",
        caption="Negative control: awakenings in good health (a seed awakened if RMS(u) of `a` passed 0.5)",
        columns=(
            "epsilon",
            "gates",
            "share awakened",
            "peak RMS(u)",
            "steps after the switch",
            "alignment there",
            "loss at the switch",
            "largest loss",
            "final loss",
        ),
        rows=tuple(rows),
    )


def at_peak(trace: ChainTrace) -> tuple[Array, Array, Array]:
    """Return the largest norm of phase B, the alignment there and its step, each `[seed, arm]`."""
    step = trace.peaks()
    index = (step + N_STEPS_A)[:, None]
    rms = np.take_along_axis(trace.update_rms, index, axis=1)[:, 0]
    alignment = np.take_along_axis(trace.alignment, index, axis=1)[:, 0]
    return rms, alignment, step.astype(np.float64)


def awakening_scores(trace: ChainTrace) -> Array:
    """Return for each awakened run how far the loss rose within 40 steps of the peak, in z."""
    rms, _, step = at_peak(trace)
    scores = []
    for seed, arm in np.argwhere(rms > AWAKE_RMS):
        peak = N_STEPS_A + int(step[seed, arm])
        loss = trace.loss_nats[seed, :, arm]
        before = loss[max(N_STEPS_A + 1, peak - AROUND_STEPS) : peak]
        if len(before) >= AROUND_STEPS // 2:
            scores.append((loss[peak : peak + AROUND_STEPS].max() - before.mean()) / before.std())
    return np.array(scores)


def chain_checks(trace: ChainTrace) -> list[Check]:
    """Return whether every awakening was healthy, and what the specification's one seed hid."""
    rms, alignment, _ = at_peak(trace)
    awake = rms > AWAKE_RMS
    scores = awakening_scores(trace)
    six = [i for i, arm in enumerate(trace.arms) if arm.n_gates == 6]
    share = share_interval(int(awake[:, six].sum()), awake[:, six].size)
    norm, cosine = mean_interval(rms[awake]), mean_interval(alignment[awake])
    lowest = float(alignment[awake].min()) if awake.any() else float("nan")
    return [
        Check(
            name="healthy awakening looks healthy",
            expected="RMS(u) near 0.9 with alignment near +0.8 at every peak, no score above 6",
            measured=f"RMS(u) {norm.mean:.2f}, alignment {cosine.mean:.2f} (lowest {lowest:.2f}), "
            f"{int((scores > SPIKE).sum())} of {len(scores)} scores above 6",
            holds=bool(
                awake.any() and norm.mean > 0.8 and lowest > 0.5 and not (scores > SPIKE).any()
            ),
            so=f"In the negative control, {int(awake.sum())} runs awaken with a norm of "
            f"{norm.mean:.2f}, four times the healthy one, yet point downhill (alignment "
            f"{cosine.mean:.2f}) and never spike: the norm alone is no fault.",
            else_="The negative control is not as healthy as it should be: "
            f"lowest alignment {lowest:.2f}, {int((scores > SPIKE).sum())} spikes.",
        ),
        Check(
            name="six gates never open (the specification's one seed)",
            expected="no seed awakens with 6 gates",
            measured=f"{share.mean:.0%} [{share.low:.0%}, {share.high:.0%}] awaken",
            holds=not awake[:, six].any(),
            so="Chains of six gates stay at the saddle.",
            else_=f"That six gates never open was the luck of one seed: {share.mean:.0%} of "
            f"{awake[:, six].size} such runs awaken.",
        ),
    ]
