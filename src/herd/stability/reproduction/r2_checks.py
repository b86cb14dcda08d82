"""R2's checks: the closed form of the return, the guard, lazy Adam, rare rows under Zipf's law.

In: the simulated returns and the runs under Zipf's law. Out: `Check`s with their sentences.
"""

import numpy as np

from herd.stability import theory
from herd.stability.reproduction.intervals import mean_interval
from herd.stability.reproduction.r2_return import ABSENCES, BETA2S, RETURN_ARMS, SMALL_EPSILON
from herd.stability.reproduction.r2_sparse_rows import (
    BETA1,
    RowArm,
    half_kick_absence_steps,
    kick_distance,
)
from herd.stability.reproduction.r2_zipf import ZipfTrace, class_names
from herd.stability.reproduction.result import (
    Check,
)

EXACT = 1e-9


def exact_checks(
    simulated: np.ndarray, expected: np.ndarray, tail_error: float, distances: dict[float, float]
) -> list[Check]:
    """Return what holds to the last digits, and what of it the specification expected otherwise."""
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


def zipf_checks(zipf: ZipfTrace) -> list[Check]:
    """Return what holds under Zipf's law."""
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
