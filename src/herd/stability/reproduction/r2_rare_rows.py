"""R2: does a row of an embedding that was absent for long come back with a kick?

In: seeds. Out: the update at return against its closed form, exactly; the same under Zipf's law for
several beta2, epsilon, lazy Adam and the cold guard; a conclusion computed from both.
"""

import time

import numpy as np

from herd.stability import theory
from herd.stability.reproduction.intervals import mean_interval
from herd.stability.reproduction.r2_figures import draw_returns, draw_zipf
from herd.stability.reproduction.r2_sparse_rows import (
    BETA1,
    RowAdam,
    RowArm,
    half_kick_absence_steps,
    kick_distance,
    update_at_return,
)
from herd.stability.reproduction.r2_zipf import ZipfTrace, class_names, run_zipf
from herd.stability.reproduction.result import (
    Cell,
    Check,
    Drawing,
    ExperimentResult,
    Report,
    Table,
    conclude,
    silent,
)

BETA2S = (0.95, 0.98, 0.999)
ABSENCES = (0, 1, 3, 10, 30, 100, 300, 1000, 3000, 10_000)
TAIL_STEPS, WARM_STEPS = 400, 8000  # warm: v forgets its start at every beta2
MAX_SEEDS = 5
EXACT = 1e-9
SMALL_EPSILON, LARGE_EPSILON = 1e-8, 1.0  # the unit is the size of the row's gradient
RETURN_ARMS = tuple(
    arm
    for b in BETA2S
    for arm in (
        RowArm(beta2=b),
        RowArm(beta2=b, epsilon=0.1),
        RowArm(beta2=b, epsilon=LARGE_EPSILON),
        RowArm(beta2=b, lazy=True),
        RowArm(beta2=b, guard=True),
        RowArm(beta2=b, epsilon=SMALL_EPSILON, guard=True, guard_below_epsilon=True),
    )
)
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
    checks = (*_exact_checks(simulated, expected, tail_error, distances), *_zipf_checks(zipf))
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


def simulate_returns() -> tuple[np.ndarray, np.ndarray, float, dict[float, float]]:
    """Return |u| at return, simulated and in closed form, each `[arm, absence]`.

    Also the largest error of the silent steps that follow, against `fresh_gradient_update`, and how
    far one gradient moved a cold row by beta2. All rows see 8000 gradients of alternating sign first.
    """
    adam = RowAdam(RETURN_ARMS, 1, 1)
    yes, no = np.ones((1, 1), dtype=bool), np.zeros((1, 1), dtype=bool)
    for step in range(WARM_STEPS):
        adam.step(np.full((1, 1), (-1.0) ** step), yes)
    m, v = adam.m.copy(), adam.v.copy()
    simulated = np.empty((len(RETURN_ARMS), len(ABSENCES)))
    expected = np.empty_like(simulated)
    absent = 0
    for j, absence in enumerate(ABSENCES):
        while absent < absence:
            adam.step(np.zeros((1, 1)), no)
            absent += 1
        kept = adam.m, adam.v
        simulated[:, j] = adam.step(np.ones((1, 1)), yes)[:, 0, 0]
        adam.m, adam.v = kept
        for i, arm in enumerate(RETURN_ARMS):
            expected[i, j] = update_at_return(arm, m[i, 0, 0], v[i, 0, 0], absence)
    return simulated, expected, *_silent_tail()


def _silent_tail() -> tuple[float, dict[float, float]]:
    """Follow one gradient on rows that never saw one; return the largest error and the distances."""
    arms = [RowArm(beta2=b) for b in BETA2S]
    adam = RowAdam(arms, 1, 1)
    u = adam.step(np.ones((1, 1)), np.ones((1, 1), dtype=bool))[:, 0, 0]
    total, error = u.copy(), 0.0
    for k in range(1, TAIL_STEPS):
        u = adam.step(np.zeros((1, 1)), np.zeros((1, 1), dtype=bool))[:, 0, 0]
        total += u
        exact = [theory.fresh_gradient_update(BETA1, b, 1, k) for b in BETA2S]
        error = max(error, float(np.abs(u - exact).max()))
    return error, dict(zip(BETA2S, (float(t) for t in total), strict=True))


def _exact_checks(
    simulated: np.ndarray, expected: np.ndarray, tail_error: float, distances: dict[float, float]
) -> list[Check]:
    error = float(np.abs(simulated - expected).max())
    at = RETURN_ARMS.index
    limits = {b: theory.fresh_gradient_update(BETA1, b) for b in BETA2S}
    gap = max(abs(simulated[at(RowArm(beta2=b)), -1] / limits[b] - 1) for b in (0.95, 0.98))
    slow = simulated[at(RowArm(beta2=0.999))] / limits[0.999]
    guard = max(abs(simulated[at(RowArm(beta2=b, guard=True)), -1] - (1 - BETA1)) for b in BETA2S)
    conditional = RowArm(beta2=0.95, epsilon=SMALL_EPSILON, guard=True, guard_below_epsilon=True)
    hundred = ABSENCES.index(100)
    strict, free = (
        simulated[at(arm), hundred] for arm in (conditional, RowArm(beta2=0.95, guard=True))
    )
    lazy = max(float(np.ptp(simulated[at(RowArm(beta2=b, lazy=True))])) for b in BETA2S)
    moved = max(abs(distances[b] / kick_distance(b) - 1) for b in BETA2S)
    return [
        Check(
            name="closed form of the return",
            expected=f"simulation equals the closed form to {EXACT:g} in every cell",
            measured=f"largest difference {error:.1e} over {simulated.size} cells",
            holds=error <= EXACT,
            so="The update at return follows its closed form to the last digits, dense, lazy and "
            "guarded.",
        ),
        Check(
            name="limit of long absence",
            expected="(1 - beta1)/sqrt(1 - beta2) after 10,000 steps at beta2 0.95 and 0.98",
            measured=f"relative difference {gap:.1e}",
            holds=gap <= EXACT,
            so="After a long absence the kick is that of a fresh gradient, 0.45 at beta2 0.95 and "
            "0.71 at 0.98.",
        ),
        Check(
            name="silent steps after the return",
            expected="fresh_gradient_update k steps later, to 1e-9",
            measured=f"largest difference {tail_error:.1e}",
            holds=tail_error <= EXACT,
        ),
        Check(
            name="distance of one kick",
            expected="(1 - b1)/sqrt(1 - b2)/(1 - b1/sqrt(b2)) learning rates, to 1e-6",
            measured=", ".join(f"{d:.1f} at beta2 {b:g}" for b, d in distances.items()),
            holds=moved <= 1e-6,
            so="Dense Adam goes on after the row is gone: in learning rates one gradient moves it "
            + ", ".join(f"{d:.1f} at beta2 {b:g}" for b, d in distances.items())
            + ".",
        ),
        Check(
            name="1000 steps of absence suffice at beta2 0.999",
            expected="at least half of the full kick of 3.16 after 1000 steps",
            measured=f"{slow[ABSENCES.index(1000)]:.2f} of it; after 10,000 {slow[-1]:.2f}",
            holds=bool(slow[ABSENCES.index(1000)] >= 0.5),
            so="At beta2 0.999 a thousand steps of absence bring half the kick.",
            else_="At beta2 0.999 a row must be away for much longer than 1/(1 - beta2): after 1000 "
            f"steps the kick is {slow[ABSENCES.index(1000)]:.2f} of its limit, and half of it takes "
            f"{half_kick_absence_steps(0.999):,.0f} steps (at 0.95 "
            f"{half_kick_absence_steps(0.95):.0f}). The larger danger comes later.",
        ),
        Check(
            name="cold guard at return",
            expected="|u| = 1 - beta1 after a long absence",
            measured=f"largest difference {guard:.1e}",
            holds=guard <= EXACT,
            so="The cold guard turns the kick after a long absence into a step of 0.1.",
        ),
        Check(
            name="the guard's condition on epsilon (6.3)",
            expected="also acts after 100 steps of absence with epsilon 1e-8, beta2 0.95",
            measured=f"|u| {strict:.2f} with the condition sqrt(v) < 10 eps, {free:.2f} without",
            holds=bool(abs(strict - (1 - BETA1)) <= EXACT),
            so="The condition sqrt(v) < 10 epsilon does not stand in its way.",
            else_="With the condition sqrt(v) < 10 epsilon the guard sleeps: v has decayed against the "
            f"gradient, not against epsilon 1e-8 (|u| {strict:.2f} with it, {free:.2f} without).",
        ),
        Check(
            name="lazy Adam",
            expected="|u| does not depend on the absence",
            measured=f"varies by {lazy:.1e}",
            holds=lazy <= EXACT,
            so="For lazy Adam the absence does not exist.",
        ),
    ]


def _zipf_checks(zipf: ZipfTrace) -> list[Check]:
    at = zipf.arms.index
    long, new = len(class_names()) - 2, len(class_names()) - 1
    dense, lazy = RowArm(beta2=0.95), RowArm(beta2=0.95, lazy=True)
    kick = mean_interval(zipf.update_rms[:, at(dense), long])
    limit = theory.fresh_gradient_update(BETA1, 0.95)
    first = mean_interval(zipf.update_rms[:, at(RowArm(beta2=0.999, lazy=True)), new])
    rarely = [
        mean_interval(zipf.update_rms[:, at(RowArm(beta2=0.999, lazy=lazily)), long]).mean
        for lazily in (True, False)
    ]
    ratio = mean_interval(zipf.walk[:, at(dense)] / zipf.walk[:, at(lazy)])
    full = theory.fresh_gradient_update(BETA1, 0.999)
    return [
        Check(
            name="rare rows under Zipf's law",
            expected=f"RMS(u) within 5 % of {limit:.3f} after more than 300 steps, dense, beta2 0.95",
            measured=f"{kick.mean:.3f} [{kick.low:.3f}, {kick.high:.3f}]",
            holds=abs(kick.mean / limit - 1) <= 0.05,
            so=f"Under Zipf's law rows away for more than 300 steps return with RMS(u) {kick.mean:.2f} "
            "on pure noise.",
        ),
        Check(
            name="rare rows walk less with lazy Adam",
            expected="a rare row walks farther per visit with dense than with lazy Adam, beta2 0.95",
            measured=f"{ratio.mean:.1f} [{ratio.low:.1f}, {ratio.high:.1f}] times",
            holds=ratio.low > 1,
            so=f"On noise a rare row walks {ratio.mean:.1f} times as far per visit with dense as with "
            "lazy Adam (beta2 0.95).",
        ),
        Check(
            name="lazy Adam has no kicks",
            expected=f"RMS(u) below a tenth of {full:.2f} for rows never seen before, beta2 0.999",
            measured=f"{first.mean:.2f}",
            holds=first.high < full / 10,
            so="Lazy Adam has no kick left.",
            else_=f"Lazy Adam keeps one kick, that of the first visit ({first.mean:.2f} at beta2 0.999): a "
            "row that was never seen has no second moment either, and one seen a few times has little "
            f"(RMS(u) {rarely[0]:.2f} after more than 300 steps, dense {rarely[1]:.2f}).",
        ),
    ]


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
