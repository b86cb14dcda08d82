"""R4: does Adam spike without any cold coordinate, from curvature and its two memories alone?

In: a number of seeds, of which nothing here makes use: the run is deterministic, and intervals come from
the fit. Out: the plane of betas with its border between swinging and spiking, a fit beside the published
one, the cold fraction, epsilon's part, and the sharpness at which |x| grows.
"""

import time

import numpy as np

from herd.stability import theory
from herd.stability.reproduction.intervals import Estimate, line_fit, mean_interval
from herd.stability.reproduction.r4_beta_plane import BetaPlane, run_beta_plane, run_trace
from herd.stability.reproduction.r4_figures import draw_plane, draw_trace
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
from herd.stability.simulator import Array

LEARNING_RATE, EPSILON = 0.1, 1e-30
PUBLISHED_C, PUBLISHED_P = 15.6, 3.07  # Tang et al., 1 - beta2 = C (1 - beta1)^p
SPIKY = 3.0  # crest; measured values are below 2.2 on one side and above 3.4 on the other
FIT_RANGE = (0.03, 0.3)  # of 1 - beta1
N_UPDATES, N_UPDATES_COARSE = 250_000, 100_000
EPSILONS = (0.0, 1e-30, 1e-8, 1e-4, 1e-2)
OTHER_STARTS = (0.3, 3.0)
TRACE_BETAS, TRACE_UPDATES = (0.9, 0.99), 60_000
LOOK_AHEAD = 10


def run_r4(
    n_seeds: int, progress: Report = silent, *, n_updates: int = N_UPDATES
) -> ExperimentResult:
    """Run the plane with 250,000 updates, a coarser one with other starts and epsilons, a trace."""
    del n_seeds  # nothing is random
    started = time.monotonic()
    progress(f"R4: plane of betas, {n_updates:,} updates")
    plane = run_beta_plane(
        np.geomspace(0.02, 0.4, 24),
        np.geomspace(1e-4, 0.6, 72),
        [1.0],
        [EPSILON],
        n_updates=n_updates,
    )
    progress("R4: other starts and epsilons")
    starts = (*OTHER_STARTS, *(1.0 for _ in EPSILONS))
    epsilons = (*(EPSILON for _ in OTHER_STARTS), *EPSILONS)
    coarse = run_beta_plane(
        np.geomspace(*FIT_RANGE, 8),
        np.geomspace(2e-4, 0.5, 36),
        starts,
        epsilons,
        n_updates=min(n_updates, N_UPDATES_COARSE),
    )
    progress("R4: one run in time")
    sizes, roots = run_trace(*TRACE_BETAS, min(n_updates, TRACE_UPDATES))
    growth = growth_by_sharpness(sizes, roots)
    checks = (*_border_checks(plane), *_cause_checks(plane, coarse, growth))
    return ExperimentResult(
        name="R4",
        question="Does Adam spike without any cold coordinate, from curvature and its two memories "
        "alone, and where?",
        tables=(_border_table(plane), _fit_table(plane), _coarse_table(coarse, starts, epsilons)),
        drawings=_drawings(plane, sizes, roots),
        checks=checks,
        conclusion=conclude(checks),
        seconds=time.monotonic() - started,
        seeds=(),
    )


def border(plane: BetaPlane, lane: int = 0) -> Array:
    """Return for each beta1 the 1 - beta2 below which |x| spikes; NaN where it never does.

    Midway, in the logarithm, between the last spiky point and the next above it.
    """
    fresh2 = plane.one_minus_beta2
    found = np.full(len(plane.one_minus_beta1), np.nan)
    for i, row in enumerate(plane.crest[lane]):
        spiky = np.flatnonzero(row > SPIKY)
        if spiky.size and spiky[-1] + 1 < len(fresh2):
            found[i] = np.sqrt(fresh2[spiky[-1]] * fresh2[spiky[-1] + 1])
    return found


def fit_border(
    plane: BetaPlane, low: float, high: float, lane: int = 0
) -> tuple[Estimate, Estimate]:
    """Return C and p of 1 - beta2 = C (1 - beta1)^p over a range of 1 - beta1."""
    fresh1, fresh2 = plane.one_minus_beta1, border(plane, lane)
    inside = (fresh1 >= low * 0.999) & (fresh1 <= high * 1.001) & np.isfinite(fresh2)
    intercept, slope = line_fit(np.log(fresh1[inside]), np.log(fresh2[inside]))
    low_c, c, high_c = (float(np.exp(v)) for v in (intercept.low, intercept.mean, intercept.high))
    return Estimate(c, low_c, high_c, slope.n), slope


def growth_by_sharpness(sizes: Array, roots: Array) -> tuple[Estimate, Estimate]:
    """Return the growth of log |x| per update, below and above the edge of stability.

    The preconditioned sharpness is 1/sqrt(v); |x| is taken as the largest of ten updates, since it
    swings. Intervals treat blocks of ten updates as independent, which flatters them.
    """
    n_blocks = len(sizes) // LOOK_AHEAD
    blocks = sizes[: n_blocks * LOOK_AHEAD].reshape(n_blocks, LOOK_AHEAD).max(1)
    sharpness = 1 / roots[: n_blocks * LOOK_AHEAD].reshape(n_blocks, LOOK_AHEAD)[:, -1]
    late = slice(n_blocks // 10, n_blocks - 1)
    growth = np.diff(np.log(blocks)) / LOOK_AHEAD
    above = sharpness[:-1] > theory.sharpness_threshold(TRACE_BETAS[0], LEARNING_RATE)
    return mean_interval(growth[late][~above[late]]), mean_interval(growth[late][above[late]])


def _border_checks(plane: BetaPlane) -> list[Check]:
    c, p = fit_border(plane, *FIT_RANGE)
    small, large = fit_border(plane, 0.03, 0.1)[1], fit_border(plane, 0.1, 0.3)[1]
    fresh1 = plane.one_minus_beta1
    inside = (fresh1 >= FIT_RANGE[0]) & (fresh1 <= FIT_RANGE[1])
    ratio = border(plane)[inside] / (PUBLISHED_C * fresh1[inside] ** PUBLISHED_P)
    factor = np.maximum(ratio, 1 / ratio)
    worst = float(np.nanmax(factor))
    centre = (fresh1[inside] >= 0.04) & (fresh1[inside] <= 0.16)
    middle = float(np.nanmax(factor[centre]))
    crest = plane.crest[np.isfinite(plane.crest)]
    between = float(((crest > 2.5) & (crest < 3.4)).mean())
    return [
        Check(
            name="a sharp border",
            expected="under 1 % of the plane between crest 2.5 and 3.4",
            measured=f"{between:.2%}; steady below {np.median(crest[crest < SPIKY]):.2f}, spiky "
            f"around {np.median(crest[crest > SPIKY]):.1f}",
            holds=between < 0.01,
            so="On a plain quadratic Adam either swings steadily or spikes; nearly nothing lies "
            "between, so the border does not hang on the threshold.",
        ),
        Check(
            name="published border, point by point",
            expected=f"within a factor 1.6 of {PUBLISHED_C} (1 - beta1)^{PUBLISHED_P} for 1 - beta1 in "
            f"{FIT_RANGE}",
            measured=f"largest factor {worst:.2f}",
            holds=worst < 1.6,
            so=f"The border lies within a factor {worst:.2f} of the published one everywhere between "
            f"1 - beta1 = {FIT_RANGE[0]} and {FIT_RANGE[1]}.",
            else_=f"The border lies within a factor {worst:.2f} of the published one between 1 - beta1 "
            f"= {FIT_RANGE[0]} and {FIT_RANGE[1]} (within {middle:.2f} between 0.04 and 0.16), not "
            "within 1.6.",
        ),
        Check(
            name="published exponent",
            expected=f"interval of p holds {PUBLISHED_P}",
            measured=f"p = {_text(p)}",
            holds=p.contains(PUBLISHED_P),
            else_=f"Our fit is not theirs: p = {_text(p)} against {PUBLISHED_P}. A fit depends on its range "
            f"(p = {_text(small)} for 1 - beta1 from 0.03 to 0.1, {_text(large)} from 0.1 to 0.3), and "
            "theirs is not known to us.",
        ),
        Check(
            name="published factor",
            expected=f"interval of C holds {PUBLISHED_C}",
            measured=f"C = {_text(c)}",
            holds=c.contains(PUBLISHED_C),
            else_=f"Nor is the factor: C = {_text(c)} against {PUBLISHED_C}.",
        ),
    ]


def _cause_checks(
    plane: BetaPlane, coarse: BetaPlane, growth: tuple[Estimate, Estimate]
) -> list[Check]:
    spiky = plane.crest[0] > SPIKY
    cold = plane.cold_fraction[0][spiky]
    zero, tiny = (border(coarse, len(OTHER_STARTS) + i) for i in (0, 1))
    moved = float(np.nanmax(np.abs(np.log(zero / tiny))))
    step = float(np.log(coarse.one_minus_beta2[1] / coarse.one_minus_beta2[0]))
    below, above = growth
    return [
        Check(
            name="no cold coordinate",
            expected="cold fraction below 0.01 wherever it spikes",
            measured=f"largest {cold.max(initial=0.0):.3f} over {int(spiky.sum())} spiky points",
            holds=bool(spiky.any() and cold.max(initial=0.0) < 0.01),
            so=f"Not one coordinate is cold there (cold fraction at most {cold.max(initial=0.0):.3f}): the "
            "cold fraction tells these spikes from an awakening.",
        ),
        Check(
            name="falsification 1: epsilon 0 does not remove these spikes",
            expected="the same border at epsilon 0 as at 1e-30, within one grid step",
            measured=f"moves by a factor {np.exp(moved):.2f} at most (a grid step is {np.exp(step):.2f})",
            holds=moved <= step * 1.001,
            so="Epsilon 0 leaves the border where it was.",
        ),
        Check(
            name="growth above the edge of stability",
            expected="|x| shrinks while 1/sqrt(v) is below 38/eta and grows above it",
            measured=f"{_text(below)} and {_text(above)} in log |x| an update",
            holds=below.high < 0 < above.low,
            so="|x| shrinks while the preconditioned sharpness is below 38/eta and grows above it "
            f"({below.mean:+.3f} and {above.mean:+.3f} in log |x| an update, betas "
            f"{TRACE_BETAS[0]} and {TRACE_BETAS[1]}): v decays until the step is unstable.",
        ),
    ]


def _border_table(plane: BetaPlane) -> Table:
    rows: tuple[tuple[Cell, ...], ...] = tuple(
        (
            float(a),
            float(b),
            PUBLISHED_C * float(a) ** PUBLISHED_P,
            float(b) / (PUBLISHED_C * float(a) ** PUBLISHED_P),
        )
        for a, b in zip(plane.one_minus_beta1, border(plane), strict=True)
    )
    return Table(
        name="border",
        caption=f"1 - beta2 below which |x| spikes, {plane.n_updates:,} updates, learning rate 0.1",
        columns=("1 - beta1", "1 - beta2 at the border", "published", "ratio"),
        rows=rows,
    )


def _fit_table(plane: BetaPlane) -> Table:
    ranges = (FIT_RANGE, (0.03, 0.1), (0.04, 0.16), (0.1, 0.3), (0.02, 0.4))
    rows: tuple[tuple[Cell, ...], ...] = tuple(
        (f"{low} to {high}", *fit_border(plane, low, high)) for low, high in ranges
    )
    return Table(
        name="fit",
        caption="1 - beta2 = C (1 - beta1)^p fitted over different ranges; published: 15.6 and 3.07",
        columns=("1 - beta1", "C", "p"),
        rows=rows,
    )


def _coarse_table(
    coarse: BetaPlane, starts: tuple[float, ...], epsilons: tuple[float, ...]
) -> Table:
    rows: list[tuple[Cell, ...]] = []
    for lane, (start, epsilon) in enumerate(zip(starts, epsilons, strict=True)):
        spiky = coarse.crest[lane] > SPIKY
        c, p = fit_border(coarse, *FIT_RANGE, lane)
        rows.append(
            (
                start,
                f"{epsilon:g}",
                float(spiky.mean()),
                float(coarse.underflown[lane].mean()),
                float(coarse.cold_fraction[lane].mean()),
                c,
                p,
            )
        )
    return Table(
        name="starts-and-epsilon",
        caption=f"A coarser plane, {coarse.n_updates:,} updates: other starts and epsilons",
        columns=(
            "x at the start",
            "epsilon",
            "share spiky",
            "share underflown",
            "cold fraction",
            "C",
            "p",
        ),
        rows=tuple(rows),
    )


def _drawings(plane: BetaPlane, sizes: Array, roots: Array) -> tuple[Drawing, ...]:
    c, p = fit_border(plane, *FIT_RANGE)
    return (
        Drawing(
            name="beta-plane",
            caption="Largest |x| over its RMS late in the run. Dark: rare spikes; light: steady "
            "swinging; grey: x has left the range of float64. Crosses: the border found.",
            draw=lambda: draw_plane(
                plane, border(plane), (c.mean, p.mean), (PUBLISHED_C, PUBLISHED_P), FIT_RANGE
            ),
        ),
        Drawing(
            name="trace",
            caption=f"|x| and the preconditioned sharpness at betas {TRACE_BETAS[0]} and "
            f"{TRACE_BETAS[1]}: v decays until the sharpness passes 38/eta, then |x| grows and "
            "lifts v again.",
            draw=lambda: draw_trace(
                sizes, roots, theory.sharpness_threshold(TRACE_BETAS[0], LEARNING_RATE)
            ),
        ),
    )


def _text(e: Estimate) -> str:
    return f"{e.mean:.3g} [{e.low:.3g}, {e.high:.3g}]"
