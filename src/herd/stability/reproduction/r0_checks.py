"""R0's checks: the assertions of 8.0 at their tolerances, and what 3.3 says about detectors.

In: statistics over seeds. Out: `Check`s, each with the sentence that follows.
"""

from collections.abc import Sequence

import numpy as np

from herd.stability import theory
from herd.stability.reproduction.golden_rows import GoldenRow
from herd.stability.reproduction.intervals import mean_interval
from herd.stability.reproduction.r0_samples import BETA1, COSINE_RHOS, Samples
from herd.stability.reproduction.result import (
    Check,
)


def tolerance_checks(samples: Samples, fresh: Sequence[GoldenRow]) -> list[Check]:
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


def claim_checks(samples: Samples) -> list[Check]:
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
