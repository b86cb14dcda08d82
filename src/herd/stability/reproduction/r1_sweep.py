"""R1 extended: which sizes make the awakening worse.

In: seeds. Out: the spike score over epsilon and beta2, and over dimensions, batch size, gain after
the switch and the share of coordinates that awaken.
"""

from collections.abc import Sequence
from dataclasses import replace

import numpy as np

from herd.stability.reproduction.intervals import mean_interval
from herd.stability.reproduction.r1_gain_step import (
    COLD_GAIN,
    Arm,
    GainStepTask,
    GainStepTrace,
    run_gain_step,
)
from herd.stability.reproduction.result import Cell, Report, Table, silent
from herd.stability.simulator import Array

EPSILONS = (0.0, 1e-10, 1e-9, 1e-8, 1e-7, 1e-6, 1e-5, 1e-4)
BETA2S = (0.9, 0.95, 0.98, 0.99, 0.999)
GAINS = (0.1, 0.3, 1.0, 3.0, 10.0)
SHARES = (0.05, 0.1, 0.25, 0.5, 1.0)
DIMENSIONS = (16, 64, 256)
BATCH_SIZES = (16, 64, 256, 1024, 4096)
BIG_BATCH, BIG_BATCH_SEEDS, SWEEP_SEEDS = 1024, 5, 10
SHORT = GainStepTask(n_awake_steps=45)
ARMS = tuple(Arm(beta2=b, epsilon=e) for e in (1e-6, 1e-8) for b in (0.95, 0.999))
QUIET = Arm(beta2=0.95, epsilon=1e-6, awake_gain=COLD_GAIN)  # never awakens: the score's noise


def run_epsilon_grid(seeds: Sequence[int]) -> GainStepTrace:
    """Run epsilon x beta2, arms in this order."""
    arms = [Arm(beta2=b, epsilon=e) for e in EPSILONS for b in BETA2S]
    return run_gain_step(SHORT, arms, seeds[:SWEEP_SEEDS])


def epsilon_table(trace: GainStepTrace) -> Table:
    """Return the spike score by epsilon and beta2, with the norm and cold fraction before the switch."""
    scores = epsilon_scores(trace)
    last = slice(trace.task.n_cold_steps - 20, trace.task.n_cold_steps)
    column = BETA2S.index(0.95)
    rows: list[tuple[Cell, ...]] = []
    for i, epsilon in enumerate(EPSILONS):
        arm = i * len(BETA2S) + column
        rows.append(
            (
                epsilon,
                *(mean_interval(scores[:, i, j]) for j in range(len(BETA2S))),
                mean_interval(trace.update_rms[:, last, arm].mean(1)),
                mean_interval(trace.cold_fraction[:, last, arm].mean(1)),
            )
        )
    return Table(
        name="epsilon-beta2",
        caption="Spike score by epsilon and beta2; norm and cold fraction before the switch at beta2 0.95",
        columns=(
            "epsilon",
            *(f"beta2 {b:g}" for b in BETA2S),
            "RMS(u) cold",
            "cold fraction",
        ),
        rows=tuple(rows),
    )


def epsilon_scores(trace: GainStepTrace) -> Array:
    """Return the scores `[seed, epsilon, beta2]`."""
    scores = trace.spike_scores()
    return scores.reshape(len(scores), len(EPSILONS), len(BETA2S))


def run_extension(
    seeds: Sequence[int], progress: Report = silent
) -> dict[tuple[str, float], Array]:
    """Return `[seed, 2 x arm]` by what was varied and its value: scores, then rises in nats.

    Arms are `ARMS`.
    """
    scores: dict[tuple[str, float], Array] = {}
    few = seeds[:SWEEP_SEEDS]
    at_base: list[tuple[str, float, Arm]] = [
        *(("gain after the switch", g, replace(arm, awake_gain=g)) for g in GAINS for arm in ARMS),
        *(("share awakened", s, replace(arm, awake_share=s)) for s in SHARES for arm in ARMS),
        *(("nothing awakens", 0.0, replace(arm, awake_gain=COLD_GAIN)) for arm in ARMS),
    ]
    progress("R1: gain and share awakened")
    base = run_gain_step(SHORT, [arm for _, _, arm in at_base], few)
    for i in range(0, len(at_base), len(ARMS)):
        scores[at_base[i][:2]] = _both(base)[:, :, i : i + len(ARMS)].reshape(len(few), -1)
    for d in DIMENSIONS:
        progress(f"R1: {d} dimensions")
        task = replace(SHORT, n_dimensions=d)
        scores["dimensions", d] = _both(run_gain_step(task, ARMS, few)).reshape(len(few), -1)
    for size in BATCH_SIZES:
        progress(f"R1: batch of {size}")
        task = replace(SHORT, batch_size=size)
        some = few[:BIG_BATCH_SEEDS] if size >= BIG_BATCH else few
        scores["batch size", size] = _both(run_gain_step(task, ARMS, some)).reshape(len(some), -1)
    return scores


def extension_table(scores: dict[tuple[str, float], Array]) -> Table:
    """Return the extension as a table, one row a value."""
    rows: list[tuple[Cell, ...]] = [
        (what, value, *(mean_interval(scores[what, value][:, i]) for i in range(2 * len(ARMS))))
        for what, value in scores
    ]
    return Table(
        name="extension",
        caption="Spike score, and rise of the loss in nats, when one size is varied around d = 64, "
        "B = 256, gain 1, share 1; the noise of the loss, by which the score divides, falls with B",
        columns=(
            "varied",
            "value",
            *(f"score, {arm.name}" for arm in ARMS),
            *(f"nats, {arm.name}" for arm in ARMS),
        ),
        rows=tuple(rows),
    )


def _both(trace: GainStepTrace) -> Array:
    """Return scores and rises in nats, `[seed, 2, arm]`."""
    return np.stack([trace.spike_scores(), trace.rises_nats()], axis=1)


def rises(scores: dict[tuple[str, float], Array], what: str, arm: int) -> tuple[float, float]:
    """Return the mean score at the smallest and at the largest value of what was varied."""
    values = [value for name, value in scores if name == what]
    first, last = scores[what, min(values)], scores[what, max(values)]
    return float(np.mean(first[:, arm])), float(np.mean(last[:, arm]))
