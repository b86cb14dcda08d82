"""What a steady gradient does to the update: signal beside noise, the same sign at every step.

In: betas and the signal-to-noise ratio of every coordinate. Out: rows like those of `predict`.
A good gradient also splits the histogram (in a large batch, for instance): its alignment tells it
from an awakening.
"""

import math
from collections.abc import Sequence

import numpy as np

from herd.foundation import UserError
from herd.stability.simulator import Prediction, biased_updates, cosine, shape_statistics
from herd.stability.theory import healthy_update_rms, memory_steps

MAX_STEPS = 20_000
LARGEST_RATIO = 1e6  # far beyond it noise is rounding


def signal_update_rms(beta1: float, signal_to_noise: float) -> float:
    """Return the RMS of the update under +-snr + noise of unit size: 0.49 for beta1 0.9, snr 0.5.

    sqrt((snr^2 + (1 - beta1)/(1 + beta1))/(1 + snr^2)): the average keeps the signal and thins the
    noise, and v holds both. Exact as beta2 approaches 1. Raises UserError for a ratio below 0.
    """
    if not 0 <= signal_to_noise <= LARGEST_RATIO:
        raise UserError(
            f"the signal-to-noise ratio must lie between 0 and {LARGEST_RATIO:g}, not {signal_to_noise}"
        )
    square = signal_to_noise**2
    return math.sqrt((square + healthy_update_rms(beta1) ** 2) / (1 + square))


def signal_alignment(beta1: float, signal_to_noise: float) -> float:
    """Return cos(g_t, u_{t-1}) under the same gradient: 0.69 for beta1 0.9, snr 1; 0 for noise.

    The signal is what gradient and update share: snr^2/(1 + snr^2) over the RMS of the update.
    """
    share = signal_to_noise**2 / (1 + signal_to_noise**2)
    return share / signal_update_rms(beta1, signal_to_noise)


def predict_signal(
    beta1: float, beta2: float, signal_to_noise: float, *, seed: int = 0
) -> Sequence[Prediction]:
    """Return the statistics of the update under a steady gradient, at epsilon 0."""
    expected_rms = signal_update_rms(beta1, signal_to_noise)
    if seed < 0:
        raise UserError(f"the seed must be 0 or above, not {seed}")
    n_steps = min(MAX_STEPS, 100 + math.ceil(3 * memory_steps(beta2)))
    g, u_before, u = biased_updates(
        beta1,
        beta2,
        np.asarray(signal_to_noise),
        np.random.default_rng(seed),
        n_steps=n_steps,
    )
    shape = shape_statistics(u)
    name = f"signal-to-noise {signal_to_noise:g}"
    rows = [
        (f"RMS of the update, {name}", expected_rms, shape.update_rms),
        (
            f"alignment, {name}",
            signal_alignment(beta1, signal_to_noise),
            float(cosine(g, u_before)),
        ),
        (f"bimodality coefficient, {name}", None, shape.bimodality),
        (f"valley ratio, {name}", None, shape.valley_ratio),
    ]
    return [Prediction(name=row, formula=formula, simulated=sim) for row, formula, sim in rows]
