"""Adam's two moments fed with made-up gradients, without any model or loss.

In: betas, epsilon, and a way gradients behave in time: correlated, biased, or silent and then awake.
Out: the update of every coordinate and its statistics, beside what the closed forms predict.
Never: bias correction, which matters only in the first 1/(1 - beta2) steps.
Source: the setting of Molybog et al. 2023 (arXiv 2304.09871); the processes are ours.
"""

import math
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from herd.foundation import UserError
from herd.stability import theory
from herd.stability.histogram_shape import bimodality, dip, valley_ratio

Array = NDArray[np.floating[Any]]
N_BINS = 61
EDGE = 1.3
N_COORDINATES = 20_000
MAX_STEPS = 20_000


class MomentSimulator:
    """Adam's recurrences on arrays of any shape; betas and epsilon broadcast against the gradient.

    A coordinate without any history and gradient has u = 0, also at epsilon 0.
    """

    def __init__(
        self,
        beta1: float | Array,
        beta2: float | Array,
        epsilon: float | Array = 0.0,
        *,
        m: float | Array = 0.0,
        v: float | Array = 0.0,
    ) -> None:
        self.beta1, self.beta2, self.epsilon = beta1, beta2, epsilon
        self.m: float | Array = m
        self.v: float | Array = v

    def step(self, g: Array) -> None:
        """Take in one gradient."""
        self.m = self.beta1 * self.m + (1 - self.beta1) * g
        self.v = self.beta2 * self.v + (1 - self.beta2) * (g * g)

    def update(self) -> Array:
        """Return u = m/(sqrt(v) + epsilon), 0 where there is nothing to divide by."""
        divisor = np.asarray(np.sqrt(self.v) + self.epsilon)
        m = np.broadcast_to(self.m, np.broadcast_shapes(np.shape(self.m), divisor.shape))
        u: Array = np.divide(m, divisor, out=np.zeros(m.shape), where=divisor > 0)
        return u


@dataclass(frozen=True, kw_only=True, slots=True)
class ShapeStatistics:
    """One set of updates in numbers, as the specification's tables have them."""

    update_rms: float
    bimodality: float
    valley_ratio: float
    dip: float
    share_above_045: float
    share_above_07: float


@dataclass(frozen=True, kw_only=True, slots=True)
class SimulatedStatistics:
    """What a simulation measured after its last step; cosines over all coordinates."""

    shape: ShapeStatistics
    gradient_momentum_cosine: float  # cos(g_t, m_{t-1})
    own_update_cosine: float  # cos(g_t, u_t): no test of descent
    alignment: float  # cos(g_t, u_{t-1})


def shape_statistics(u: Array) -> ShapeStatistics:
    """Return the statistics of one set of updates, flattened."""
    u = np.asarray(u, dtype=np.float64).ravel()
    u2 = u * u
    counts = update_histogram(u)
    size = np.abs(u)
    return ShapeStatistics(
        update_rms=math.sqrt(u2.mean()),
        bimodality=bimodality(u.size, *(float(x.sum()) for x in (u, u2, u2 * u, u2 * u2))),
        valley_ratio=valley_ratio(counts),
        dip=dip(counts),
        share_above_045=float((size > 0.45).mean()),
        share_above_07=float((size > 0.7).mean()),
    )


def update_histogram(u: Array) -> list[float]:
    """Return counts in 61 bins on [-1.3, 1.3]; what lies beyond is left out.

    Outer bins that took the rest would feign humps at beta2 0.999, where |u| may exceed 1.3.
    """
    return [float(n) for n in np.histogram(u, bins=N_BINS, range=(-EDGE, EDGE))[0]]


def cosine(a: Array, b: Array, axis: int | tuple[int, ...] | None = -1) -> Array:
    """Return the cosine along `axis`; NaN where a vector has no length."""
    dot = (a * b).sum(axis)
    length = np.sqrt((a * a).sum(axis) * (b * b).sum(axis))
    result: Array = np.divide(dot, length, out=np.full(np.shape(dot), np.nan), where=length > 0)
    return result


def correlated_updates(
    beta1: float,
    beta2: float | Array,
    rho: float | Array,
    rng: np.random.Generator,
    *,
    epsilon: float | Array = 0.0,
    n_coordinates: int = N_COORDINATES,
    n_steps: int = 400,
) -> tuple[Array, Array, Array, Array]:
    """Return g, m before, u before and u at the last of `n_steps` AR(1) gradients of unit size.

    `rho` and `beta2` may be arrays whose last axis is 1: noise is shared among them. m = 0 and v = 1
    at the start.
    """
    fresh = np.sqrt(1 - np.asarray(rho) ** 2)
    g = rng.standard_normal(n_coordinates) + np.zeros_like(fresh)
    adam = MomentSimulator(beta1, beta2, epsilon, v=1.0)
    m_before = u_before = np.zeros_like(g)
    for step in range(n_steps):
        if step:
            g = rho * g + fresh * rng.standard_normal(n_coordinates)
        if step == n_steps - 1:
            m_before, u_before = np.asarray(adam.m + np.zeros_like(g)), adam.update()
        adam.step(g)
    return g, m_before, u_before, adam.update()


def biased_updates(
    beta1: float,
    beta2: float,
    signal_to_noise: Array,
    rng: np.random.Generator,
    *,
    n_coordinates: int = N_COORDINATES,
    n_steps: int = 300,
) -> tuple[Array, Array, Array]:
    """Return g, u before and u under +-signal_to_noise + N(0, 1), the sign fixed per coordinate."""
    mean = signal_to_noise * rng.choice([-1.0, 1.0], n_coordinates)
    adam = MomentSimulator(beta1, beta2)
    g, u_before = np.zeros_like(mean), np.zeros_like(mean)
    for step in range(n_steps):
        if step == n_steps - 1:
            u_before = adam.update()
        g = mean + rng.standard_normal(n_coordinates)
        adam.step(g)
    return g, u_before, adam.update()


def awakening_updates(
    beta1: float,
    beta2: float,
    rho: float | Array,
    rng: np.random.Generator,
    *,
    epsilon: float = 1e-8,
    cold_size: float = 1e-10,
    awake_size: float = 1e-6,
    n_cold: int = 200,
    n_awake: int = 30,
    n_coordinates: int = N_COORDINATES,
) -> list[Array]:
    """Return u at the last cold step and at each step awake.

    Cold gradients are independent; the first one awake keeps rho of the last cold one's direction.
    """
    fresh = np.sqrt(1 - np.asarray(rho) ** 2)
    adam = MomentSimulator(beta1, beta2, epsilon)
    direction = np.zeros(n_coordinates)
    for _ in range(n_cold):
        direction = rng.standard_normal(n_coordinates)
        adam.step(cold_size * direction)
    updates = [np.asarray(adam.update() + np.zeros_like(fresh * direction))]
    for _ in range(n_awake):
        direction = rho * direction + fresh * rng.standard_normal(n_coordinates)
        adam.step(awake_size * direction)
        updates.append(adam.update())
    return updates


def partial_awakening(
    rng: np.random.Generator,
    *,
    kick: float,
    frozen_rms: float,
    share: float = 0.1,
    n_coordinates: int = N_COORDINATES,
) -> Array:
    """Return updates of which `share` are at +-kick and the rest a bell of RMS `frozen_rms`."""
    n_awake = round(share * n_coordinates)
    cold = rng.normal(0.0, frozen_rms, n_coordinates - n_awake)
    return np.concatenate([cold, kick * rng.choice([-1.0, 1.0], n_awake)])


def simulate(
    beta1: float,
    beta2: float,
    rho: float,
    *,
    epsilon: float = 0.0,
    n_coordinates: int = N_COORDINATES,
    n_steps: int | None = None,
    seed: int = 0,
) -> SimulatedStatistics:
    """Measure the update under gradients of unit size and lag-1 correlation `rho`.

    `epsilon` is in units of the gradient's RMS. Steps default to what both moments and the
    correlation need to forget the start. Raises UserError for constants out of range.
    """
    theory.correlated_update_rms(beta1, rho)
    theory.memory_steps(beta2)
    if not epsilon >= 0 or not math.isfinite(epsilon):
        raise UserError(f"epsilon must be a number of 0 or above, not {epsilon}")
    if seed < 0:
        raise UserError(f"the seed must be 0 or above, not {seed}")
    if n_coordinates < 2 or (n_steps is not None and n_steps < 2):
        raise UserError("a simulation needs at least 2 coordinates and 2 steps")
    if n_steps is None:
        memories = [theory.memory_steps(min(b, 1 - 1e-6)) for b in (beta1, beta2, abs(rho))]
        n_steps = min(MAX_STEPS, 100 + math.ceil(3 * max(memories)))
    rng = np.random.default_rng(seed)
    g, m_before, u_before, u = correlated_updates(
        beta1, beta2, rho, rng, epsilon=epsilon, n_coordinates=n_coordinates, n_steps=n_steps
    )
    return SimulatedStatistics(
        shape=shape_statistics(u),
        gradient_momentum_cosine=float(cosine(g, m_before)),
        own_update_cosine=float(cosine(g, u)),
        alignment=float(cosine(g, u_before)),
    )


@dataclass(frozen=True, kw_only=True, slots=True)
class Prediction:
    """One line of `herd stability simulate`: a statistic, its closed form and what was simulated."""

    name: str
    formula: float | None
    simulated: float | None


def predict(
    beta1: float, beta2: float, rho: float, *, epsilon: float = 0.0, seed: int = 0
) -> Sequence[Prediction]:
    """Return the statistics of the update that the theory predicts, beside a simulation of each.

    `epsilon` is in units of the gradient's RMS. Raises UserError for constants out of range.
    """
    healthy = simulate(beta1, beta2, 0.0, epsilon=epsilon, seed=seed)
    measured = simulate(beta1, beta2, rho, epsilon=epsilon, seed=seed)
    size = 1 / epsilon if epsilon else math.inf
    frozen = theory.frozen_update_rms(beta1, size)
    shrink = frozen / theory.healthy_update_rms(beta1)
    shape = measured.shape
    rows = [
        ("RMS of the update, independent gradients", frozen, healthy.shape.update_rms),
        (
            f"RMS of the update, correlation {rho:g}",
            shrink * theory.correlated_update_rms(beta1, rho),
            shape.update_rms,
        ),
        (
            "cosine of gradient and momentum before",
            theory.gradient_momentum_cosine(beta1, rho),
            measured.gradient_momentum_cosine,
        ),
        ("alignment, cosine of gradient and update before", None, measured.alignment),
        (
            "cosine of gradient and own update, independent",
            theory.own_update_cosine(beta1),
            healthy.own_update_cosine,
        ),
        ("bimodality coefficient (bell 0.33, two points 1)", None, shape.bimodality),
        ("valley ratio (one hump 1, split 0)", None, shape.valley_ratio),
        ("dip (one hump 0, two points 0.25)", None, shape.dip),
        ("share of |u| above 0.45", None, shape.share_above_045),
        ("share of |u| above 0.7", None, shape.share_above_07),
        *(
            (
                f"|u| after {n} equal gradients on a cold coordinate",
                theory.fresh_gradient_update(beta1, beta2, n),
                _fresh(beta1, beta2, n),
            )
            for n in (1, 2, 5, 10, 20)
        ),
        ("hard bound of |u|, any history", theory.update_hard_bound(beta1, beta2), None),
    ]
    return [Prediction(name=name, formula=formula, simulated=sim) for name, formula, sim in rows]


def _fresh(beta1: float, beta2: float, n_gradients: int) -> float:
    adam = MomentSimulator(beta1, beta2)
    for _ in range(n_gradients):
        adam.step(np.ones(1))
    return float(adam.update()[0])
