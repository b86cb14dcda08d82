"""One seed of R0: every set-up of 8.0, as statistics by name.

In: a seed. Out: a mapping from (set-up, constants, statistic) to the number measured.
"""

from typing import Any

import numpy as np

from herd.stability import theory
from herd.stability.reproduction import r0_golden as golden
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


def one_seed(seed: int, pictures: dict[str, Any] | None) -> dict[tuple[Any, ...], float]:
    """Run every set-up once; return each statistic by its name, and keep updates in `pictures`."""
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
