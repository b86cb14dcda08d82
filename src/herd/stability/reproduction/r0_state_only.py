"""R0: does Adam's state alone, fed with made-up gradients, give the numbers of the theory?

In: seeds. Out: the golden values of the specification (3.2 to 3.4, 8.0) beside formula and
measurement, and two falsification checks on them: order in time, and signal against noise.
"""

import time
from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np

from herd.stability import theory
from herd.stability.reproduction import r0_golden as golden
from herd.stability.reproduction.golden_rows import GoldenRow, golden_check, golden_table
from herd.stability.reproduction.intervals import mean_interval
from herd.stability.reproduction.r0_figures import (
    draw_awakening,
    draw_confound,
    draw_histograms,
)
from herd.stability.reproduction.result import (
    Check,
    Drawing,
    ExperimentResult,
    Report,
    conclude,
    silent,
)
from herd.stability.simulator import (
    Array,
    MomentSimulator,
    awakening_updates,
    biased_updates,
    correlated_updates,
    cosine,
    partial_awakening,
    shape_statistics,
)

BETA1 = 0.9
BETA2S = (0.95, 0.98, 0.999)
LONG_BETA2S = (0.95, 0.999)  # of the table with more correlations
RHOS = (0.0, 0.5, 0.8, 0.9, 0.95, 0.99)
COSINE_RHOS = (0.0, 0.5, 0.9, 0.99)
MAX_SEEDS = 5  # a seed is 20,000 coordinates; more seeds only cost time
SIGNALS = (0.1, 0.5, 1.0, 3.0)
SHAPE_FIELDS = ("update_rms", "bimodality", "valley_ratio", "share_above_045", "share_above_07")
N_RANDOM_HISTORIES = 500

Samples = dict[tuple[Any, ...], list[float]]
Setting = tuple[int, tuple[float, ...], tuple[float, ...]]  # steps, beta2s, rhos


def run_r0(n_seeds: int, progress: Report = silent) -> ExperimentResult:
    """Simulate every set-up of 8.0 with seeds 0 to `n_seeds` - 1, at most 5."""
    started = time.monotonic()
    n_seeds = min(n_seeds, MAX_SEEDS)
    samples: Samples = {}
    pictures: dict[str, Any] = {}
    for seed in range(n_seeds):
        progress(f"R0: state only, seed {seed + 1} of {n_seeds}")
        for key, value in _one_seed(seed, pictures if seed == 0 else None).items():
            samples.setdefault(key, []).append(value)
    shapes, cosines = _shape_rows(samples), _cosine_rows(samples)
    awakening, fresh = _awakening_rows(samples), _fresh_rows()
    checks = (
        *_tolerance_checks(samples, fresh),
        golden_check("golden values, correlated gradients (3.3)", shapes),
        golden_check("golden values, cosines (8.0)", cosines),
        golden_check("golden values, awakening, biased and partial (8.0)", awakening),
        *_claim_checks(samples),
    )
    tables = (
        golden_table("correlated", "Correlated gradients, beta1 0.9, 300 steps", shapes),
        golden_table("cosines", "Cosines after 400 steps", cosines),
        golden_table("awakening", "Awakening, biased gradients, partial awakening", awakening),
        golden_table("fresh-gradient", "One to twenty equal gradients on a cold coordinate", fresh),
    )
    return ExperimentResult(
        name="R0",
        question="Does Adam's state alone, fed with made-up gradients, behave as the closed forms say?",
        tables=tables,
        drawings=_drawings(samples, pictures),
        checks=checks,
        conclusion=conclude(checks),
        seconds=time.monotonic() - started,
        seeds=tuple(range(n_seeds)),
    )


def _one_seed(seed: int, pictures: dict[str, Any] | None) -> dict[tuple[Any, ...], float]:
    values: dict[tuple[Any, ...], float] = {}
    for setting in ((300, LONG_BETA2S, RHOS), (400, BETA2S, COSINE_RHOS)):
        u = _correlated(values, setting, seed)
        if pictures is not None and setting[0] == 300:
            pictures["correlated"] = u
    after, before, biased = biased_updates(
        BETA1, 0.95, np.array(SIGNALS)[:, None], np.random.default_rng((seed, 2))
    )
    for i, signal in enumerate(SIGNALS):
        _note_shape(values, ("biased", signal), biased[i])
        values["biased", signal, "alignment"] = float(cosine(after[i], before[i]))
    _awakening(values, seed)
    partial = partial_awakening(
        np.random.default_rng((seed, 4)),
        kick=theory.fresh_gradient_update(BETA1, 0.95),
        frozen_rms=float(golden.FROZEN_RMS),
    )
    _note_shape(values, ("partial",), partial)
    values["bound",] = _largest_over_bound(np.random.default_rng((seed, 5)))
    return values


def _correlated(values: dict[tuple[Any, ...], float], setting: Setting, seed: int) -> Array:
    n_steps, beta2s, rhos = setting
    g, m_before, u_before, u = correlated_updates(
        BETA1,
        np.array(beta2s)[:, None, None],
        np.array(rhos)[:, None],
        np.random.default_rng((seed, n_steps)),
        n_steps=n_steps,
    )
    for j, rho in enumerate(rhos):
        values["cosine", n_steps, rho] = float(cosine(g[j], m_before[j]))
        for i, beta2 in enumerate(beta2s):
            key, lane = ("correlated", n_steps, beta2, rho), u[i, j]
            _note_shape(values, key, lane)
            values["own", n_steps, beta2, rho] = float(cosine(g[j], lane))
            values[*key, "alignment"] = float(cosine(g[j], u_before[i, j]))
            values[*key, "kurtosis"] = float((lane**4).mean() / (lane**2).mean() ** 2)
    return u


def _awakening(values: dict[tuple[Any, ...], float], seed: int) -> None:
    rhos = tuple(golden.AWAKENING)
    updates = awakening_updates(
        BETA1, 0.95, np.array(rhos)[:, None], np.random.default_rng((seed, 3))
    )
    values["frozen", "update_rms"] = shape_statistics(updates[0][0]).update_rms
    for k, awake in enumerate(updates[1:]):
        for i, rho in enumerate(rhos):
            _note_shape(values, ("awakening", rho, k), awake[i])


def _note_shape(values: dict[tuple[Any, ...], float], key: tuple[Any, ...], u: Array) -> None:
    shape = shape_statistics(u)
    for name in SHAPE_FIELDS:
        values[*key, name] = getattr(shape, name)


def _largest_over_bound(rng: np.random.Generator) -> float:
    """Return the largest |u| over the hard bound among histories chosen to be nasty.

    Half are random gradients over 40 orders of magnitude; half follow the worst case, where
    gradients shrink by beta1/beta2 into the past, which meets the bound.
    """
    largest = 0.0
    for beta1, beta2 in ((0.9, 0.95), (0.9, 0.98), (0.9, 0.999), (0.8, 0.99), (0.95, 0.95)):
        adam = MomentSimulator(beta1, beta2)
        n_steps = 300
        wild = rng.choice([-1.0, 1.0], (n_steps, N_RANDOM_HISTORIES)) * 10 ** rng.uniform(
            -20, 20, (n_steps, N_RANDOM_HISTORIES)
        )
        worst = (beta1 / beta2) ** np.arange(n_steps)[::-1, None]
        for g in np.concatenate([wild, worst * np.ones((n_steps, 1))], axis=1):
            adam.step(g)
            largest = max(
                largest, float(np.abs(adam.update()).max()) / theory.update_hard_bound(beta1, beta2)
            )
    return largest


def _shape_rows(samples: Samples) -> list[GoldenRow]:
    rows = []
    for (beta2, rho), printed in golden.CORRELATED.items():
        for name, value in zip(SHAPE_FIELDS, printed, strict=True):
            rows.append(
                GoldenRow(
                    setting=f"beta2 {beta2}, rho {rho}",
                    statistic=name,
                    values=samples["correlated", 300, beta2, rho, name],
                    golden=value,
                    formula=theory.correlated_update_rms(BETA1, rho)
                    if name == "update_rms"
                    else None,
                )
            )
    return rows


def _cosine_rows(samples: Samples) -> list[GoldenRow]:
    rows = [
        GoldenRow(
            setting=f"rho {rho}",
            statistic="cos(g_t, m_{t-1})",
            values=samples["cosine", 400, rho],
            golden=printed,
            formula=theory.gradient_momentum_cosine(BETA1, rho),
            slack=golden.COSINE_AT_ZERO_WITHIN if rho == 0 else 0.0,
        )
        for rho, printed in golden.COSINES.items()
    ]
    for beta2, printed in zip((0.95, 0.999), golden.OWN_COSINE, strict=True):
        rows.append(
            GoldenRow(
                setting=f"beta2 {beta2}, rho 0",
                statistic="cos(g_t, u_t)",
                values=samples["own", 400, beta2, 0.0],
                golden=printed,
                formula=theory.own_update_cosine(BETA1),
            )
        )
    return rows


def _awakening_rows(samples: Samples) -> list[GoldenRow]:
    kick = theory.fresh_gradient_update(BETA1, 0.95)
    rows = [
        GoldenRow(
            setting=f"awakening, rho {rho}, k = {k}",
            statistic=name,
            values=samples["awakening", rho, k, name],
            golden=value,
            formula=kick if (name, k) == ("update_rms", 0) else None,
        )
        for rho, pairs in golden.AWAKENING.items()
        for k, pair in zip(golden.AWAKENING_STEPS, pairs, strict=True)
        for name, value in zip(("update_rms", "bimodality"), pair, strict=True)
    ]
    three = ("update_rms", "bimodality", "valley_ratio")
    for signal, printed in golden.BIASED.items():
        for name, value in zip(three, printed, strict=True):
            values = samples["biased", signal, name]
            rows.append(GoldenRow(f"biased, SNR {signal}", name, values, value))
    for name, value in zip(three, golden.PARTIAL, strict=True):
        rows.append(GoldenRow("partial awakening", name, samples["partial", name], value))
    rows.append(
        GoldenRow(
            "frozen, s = 0.01",
            "update_rms",
            samples["frozen", "update_rms"],
            golden.FROZEN_RMS,
            theory.frozen_update_rms(BETA1, 0.01),
        )
    )
    return rows


def _fresh_rows() -> list[GoldenRow]:
    rows = []
    for (beta1, beta2), printed in golden.FRESH.items():
        adam = MomentSimulator(beta1, beta2)
        setting = f"beta1 {beta1}, beta2 {beta2}"
        for n in range(1, golden.FRESH_COUNTS[-1] + 1):
            adam.step(np.ones(1))
            if n in golden.FRESH_COUNTS:
                value = printed[golden.FRESH_COUNTS.index(n)]
                formula = theory.fresh_gradient_update(beta1, beta2, n)
                rows.append(
                    GoldenRow(setting, f"after {n}", [float(adam.update()[0])], value, formula)
                )
        worst = MomentSimulator(beta1, beta2)
        for g in (beta1 / beta2) ** np.arange(400)[::-1]:
            worst.step(np.full(1, g))
        bound = theory.update_hard_bound(beta1, beta2)
        rows.append(
            GoldenRow(
                setting, "worst history found", [float(worst.update()[0])], printed[-1], bound
            )
        )
    return rows


def _tolerance_checks(samples: Samples, fresh: Sequence[GoldenRow]) -> list[Check]:
    """Return the assertions of 8.0, at the tolerances given there."""
    healthy = mean_interval(samples["correlated", 300, 0.999, 0.0, "update_rms"])
    kurtosis = mean_interval(samples["correlated", 300, 0.95, 0.0, "kurtosis"])
    bc = mean_interval(samples["correlated", 300, 0.95, 0.0, "bimodality"])
    kick = mean_interval(samples["awakening", 0.0, 0, "update_rms"])
    cosine_error = max(
        abs(np.mean(samples["cosine", 400, rho]) - theory.gradient_momentum_cosine(BETA1, rho))
        for rho in COSINE_RHOS
    )
    algebra = max(abs(row.values[0] - row.formula) for row in fresh if row.formula is not None)
    bound = max(samples["bound",])
    return [
        Check(
            name="healthy norm",
            expected="RMS(u) 0.229 within 0.005 at rho 0, beta2 0.999",
            measured=f"{healthy.mean:.4f}",
            holds=abs(healthy.mean - 0.229) <= 0.005,
        ),
        Check(
            name="cosine law",
            expected="cos(g_t, m_{t-1}) within 0.02 of its formula at every rho",
            measured=f"largest error {cosine_error:.4f}",
            holds=bool(cosine_error <= 0.02),
        ),
        Check(
            name="awakening kick",
            expected="RMS(u) 0.40 within 0.01 at k = 0, beta2 0.95",
            measured=f"{kick.mean:.4f}",
            holds=abs(kick.mean - 0.40) <= 0.01,
            so=f"The first gradients after a cold phase set the update to {kick.mean:.2f} at beta2 "
            f"0.95, {kick.mean / healthy.mean:.1f} times the healthy norm, whatever their size.",
        ),
        Check(
            name="kurtosis and bimodality in health",
            expected="2.7 and 0.37 at beta2 0.95 (within 0.05 and 0.01)",
            measured=f"{kurtosis.mean:.3f} and {bc.mean:.3f}",
            holds=abs(kurtosis.mean - 2.7) <= 0.05 and abs(bc.mean - 0.37) <= 0.01,
        ),
        Check(
            name="hard bound",
            expected="|u| never above the bound",
            measured=f"largest |u| over bound {bound:.6f}",
            holds=bound <= 1 + 1e-9,
            so="No history of gradients, random over 40 orders of magnitude or chosen against the "
            f"bound, passes it; the worst reaches {bound:.4f} of it.",
        ),
        Check(
            name="algebra of equal gradients",
            expected="(1 - beta1^n)/sqrt(1 - beta2^n) and the bound, to 1e-6",
            measured=f"largest error {algebra:.1e}",
            holds=algebra <= 1e-6,
        ),
    ]


def _claim_checks(samples: Samples) -> list[Check]:
    """Return what 3.3 says about detectors, as statements that may fail."""
    short = mean_interval(samples["correlated", 300, 0.95, 0.99, "bimodality"])
    long = mean_interval(samples["correlated", 300, 0.999, 0.99, "bimodality"])
    rms = mean_interval(samples["correlated", 300, 0.999, 0.99, "update_rms"])
    formula = theory.correlated_update_rms(BETA1, 0.9)
    measured = mean_interval(samples["correlated", 300, 0.95, 0.9, "update_rms"])
    noise = mean_interval(samples["correlated", 300, 0.95, 0.9, "alignment"])
    signal = mean_interval(samples["biased", 1.0, "alignment"])
    return [
        Check(
            name="humps need a short second moment",
            expected="at rho 0.99 BC above 5/9 at beta2 0.95 and below it at 0.999, RMS(u) high",
            measured=f"BC {short.mean:.2f} and {long.mean:.2f}, RMS(u) {rms.mean:.2f}",
            holds=short.low > 5 / 9 > long.high and rms.low > 0.7,
            so="Correlation in time inflates the norm at every beta2 but splits the histogram only "
            "where v forgets as fast as the gradients do: the norm is the first detector, the "
            "humps the second.",
        ),
        Check(
            name="closed form of the norm at a short second moment",
            expected=f"within 0.05 of {formula:.2f} at rho 0.9, beta2 0.95",
            measured=f"{measured.mean:.3f}",
            holds=abs(measured.mean - formula) <= 0.05,
            else_=f"The formula for RMS(u) is one of a long second moment: at rho 0.9 and beta2 "
            f"0.95 it says {formula:.2f}, and {measured.mean:.2f} is measured, as the "
            "specification's own table has it.",
        ),
        Check(
            name="alignment tells noise that persists from signal",
            expected="cos(g_t, u_{t-1}) below 0.05 for zero-mean AR(1) noise at rho 0.9",
            measured=f"{noise.mean:.2f} (a true signal, SNR 1: {signal.mean:.2f})",
            holds=noise.high < 0.05,
            so="Persistent noise shows itself by its low alignment.",
            else_=f"Without a loss nobody can tell noise that persists from a signal: AR(1) noise at "
            f"rho 0.9 aligns with the update before by {noise.mean:.2f}, a true signal of SNR 1 by "
            f"{signal.mean:.2f}. Low alignment betrays a kick, not correlation as such.",
        ),
    ]


def _drawings(samples: Samples, pictures: Mapping[str, Any]) -> tuple[Drawing, ...]:
    means = {key: float(np.mean(values)) for key, values in samples.items()}
    return (
        Drawing(
            name="histograms",
            caption="Updates of 20,000 coordinates (one seed) under gradients of growing "
            "correlation in time: at beta2 0.95 two humps part, at 0.999 the bell widens.",
            draw=lambda: draw_histograms(pictures["correlated"], LONG_BETA2S, RHOS),
        ),
        Drawing(
            name="awakening",
            caption="Norm and bimodality after the switch; mean over seeds, crosses are golden.",
            draw=lambda: draw_awakening(means, theory.fresh_gradient_update(BETA1, 0.95)),
        ),
        Drawing(
            name="signal-confound",
            caption="A good gradient enlarges and splits the update as well: only the alignment "
            "with the gradient that follows tells a kick apart.",
            draw=lambda: draw_confound(means, RHOS, SIGNALS),
        ),
    )
