"""R2: does a row of an embedding that was absent for long come back with a kick?

In: seeds. Out: the update at return against its closed form, exactly; the same under Zipf's law for
several beta2, epsilon, lazy Adam and the cold guard; a conclusion computed from both.
"""

import time

import numpy as np

from herd.stability import theory
from herd.stability.reproduction.intervals import mean_interval
from herd.stability.reproduction.r2_checks import exact_checks, zipf_checks
from herd.stability.reproduction.r2_figures import draw_returns, draw_zipf
from herd.stability.reproduction.r2_return import (
    ABSENCES,
    BETA2S,
    RETURN_ARMS,
    simulate_returns,
)
from herd.stability.reproduction.r2_sparse_rows import (
    BETA1,
    RowArm,
    half_kick_absence_steps,
    kick_distance,
)
from herd.stability.reproduction.r2_zipf import ZipfTrace, class_names, run_zipf
from herd.stability.reproduction.result import (
    Cell,
    Drawing,
    ExperimentResult,
    Report,
    Table,
    conclude,
    silent,
)

MAX_SEEDS = 5
ZIPF_EPSILON = 1 / 64  # the size of a single occurrence's gradient
ZIPF_ARMS = tuple(
    arm
    for b in (0.95, 0.999)
    for arm in (
        RowArm(beta2=b),
        RowArm(beta2=b, epsilon=ZIPF_EPSILON),
        RowArm(beta2=b, lazy=True),
        RowArm(beta2=b, guard=True),
    )
)


def run_r2(n_seeds: int, progress: Report = silent) -> ExperimentResult:
    """Run the exact part once and Zipf's law with at most 5 seeds."""
    started = time.monotonic()
    progress("R2: one row, exactly")
    simulated, expected, tail_error, distances = simulate_returns()
    seeds = range(min(n_seeds, MAX_SEEDS))
    progress(f"R2: Zipf's law, {len(seeds)} seeds")
    zipf = run_zipf(ZIPF_ARMS, seeds)
    checks = (*exact_checks(simulated, expected, tail_error, distances), *zipf_checks(zipf))
    return ExperimentResult(
        name="R2",
        question="Does a row of an embedding that was absent for long come back with a kick, and what "
        "helps against it?",
        tables=(_return_table(simulated), _distance_table(distances), _zipf_table(zipf)),
        drawings=(
            Drawing(
                name="return",
                caption="Update at return against the length of the absence: lines are the closed "
                "form, dots the simulation (gradients of equal size).",
                draw=lambda: draw_returns(RETURN_ARMS, ABSENCES, simulated, expected),
            ),
            Drawing(
                name="zipf",
                caption="Update of rows that return, under Zipf's law and pure noise, by the length of "
                "the absence; mean over seeds.",
                draw=lambda: draw_zipf(zipf),
            ),
        ),
        checks=checks,
        conclusion=conclude(checks),
        seconds=time.monotonic() - started,
        seeds=tuple(seeds),
    )


def _return_table(simulated: np.ndarray) -> Table:
    rows: tuple[tuple[Cell, ...], ...] = tuple(
        (arm.name, *(float(value) for value in values))
        for arm, values in zip(RETURN_ARMS, simulated, strict=True)
    )
    return Table(
        name="return",
        caption="|u| at return by steps of absence; gradients of size 1, epsilon in that unit",
        columns=("arm", *(f"{absence} steps" for absence in ABSENCES)),
        rows=rows,
    )


def _distance_table(distances: dict[float, float]) -> Table:
    rows: tuple[tuple[Cell, ...], ...] = tuple(
        (
            b,
            theory.fresh_gradient_update(BETA1, b),
            half_kick_absence_steps(b),
            distances[b],
            kick_distance(b),
        )
        for b in BETA2S
    )
    return Table(
        name="kick",
        caption="What one gradient does to a cold row of dense Adam",
        columns=(
            "beta2",
            "|u| at once",
            "absence for half of it, steps",
            "distance in the end, learning rates",
            "formula",
        ),
        rows=rows,
    )


def _zipf_table(zipf: ZipfTrace) -> Table:
    rows: list[tuple[Cell, ...]] = []
    for i, arm in enumerate(zipf.arms):
        rms = [mean_interval(zipf.update_rms[:, i, k]) for k in range(zipf.returns.shape[1])]
        rows.append((arm.name, *rms, mean_interval(zipf.walk[:, i])))
    returns: tuple[Cell, ...] = tuple(round(float(n)) for n in zipf.returns.mean(0))
    return Table(
        name="zipf",
        caption="RMS(u) of rows that return, by steps of absence, under Zipf's law and pure noise; last "
        "column: how far a rare row (rank above 500) walks for each visit, in learning rates",
        columns=("arm", *class_names(), "walk per visit"),
        rows=(*rows, ("returns a seed", *returns, None)),
    )
