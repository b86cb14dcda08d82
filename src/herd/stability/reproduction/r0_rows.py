"""R0's rows beside the golden values and the closed forms.

In: statistics over seeds. Out: `GoldenRow`s, one a printed golden value.
"""

import numpy as np

from herd.stability import theory
from herd.stability.reproduction import r0_golden as golden
from herd.stability.reproduction.golden_rows import GoldenRow
from herd.stability.reproduction.r0_samples import BETA1, SHAPE_FIELDS, Samples
from herd.stability.simulator import (
    MomentSimulator,
)


def shape_rows(samples: Samples) -> list[GoldenRow]:
    """Return the table of 3.3."""
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


def cosine_rows(samples: Samples) -> list[GoldenRow]:
    """Return the cosines of the 400-step runs."""
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


def awakening_rows(samples: Samples) -> list[GoldenRow]:
    """Return awakening, biased and partial set-ups."""
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


def fresh_rows() -> list[GoldenRow]:
    """Return the algebra of 3.4, simulated."""
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
