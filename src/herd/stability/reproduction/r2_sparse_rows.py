"""Adam on the rows of an embedding, of which a batch touches only a few.

In: which rows are present, their gradients, arms that share the data. Out: moments and updates.
Dense Adam lets the moments of an absent row decay at every step; lazy Adam (torch.optim.SparseAdam)
leaves them alone. No bias correction: SparseAdam's counts steps, not visits of a row, so it has worn
off when a rare row is first seen.
"""

import math
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from herd.stability.simulator import Array

BETA1 = 0.9
GUARD_RATIO = 100.0
GUARD_KAPPA = 10.0


@dataclass(frozen=True, kw_only=True, slots=True)
class RowArm:
    """One way to train the rows. `guard_below_epsilon`: the guard acts only if sqrt(v) < 10 epsilon."""

    beta2: float
    epsilon: float = 0.0
    lazy: bool = False
    guard: bool = False
    guard_below_epsilon: bool = False

    @property
    def name(self) -> str:
        """Return a short label."""
        extras = [
            f"eps {self.epsilon:.3g}" if self.epsilon else "",
            "lazy" if self.lazy else "",
            "cold guard" if self.guard else "",
            "below 10 eps only" if self.guard_below_epsilon else "",
        ]
        return ", ".join([f"beta2 {self.beta2:g}", *filter(None, extras)])


class RowAdam:
    """The arms' moments, `[arm, row, dimension]`."""

    def __init__(self, arms: Sequence[RowArm], n_rows: int, n_dimensions: int) -> None:
        lane = (len(arms), 1, 1)
        self.beta2 = np.array([arm.beta2 for arm in arms]).reshape(lane)
        self.epsilon = np.array([arm.epsilon for arm in arms]).reshape(lane)
        self.lazy = np.array([arm.lazy for arm in arms]).reshape(lane)
        self.guard = np.array([arm.guard for arm in arms]).reshape(lane)
        limits = [
            (GUARD_KAPPA * arm.epsilon) ** 2 if arm.guard_below_epsilon else np.inf for arm in arms
        ]
        self.guard_below = np.array(limits).reshape(lane)
        self.m: Array = np.zeros((len(arms), n_rows, n_dimensions))
        self.v: Array = np.zeros((len(arms), n_rows, n_dimensions))

    def step(self, g: Array, present: NDArray[np.bool_]) -> Array:
        """Take in gradients `[row, dimension]`, zero where not `present` `[row, 1]`; return u."""
        resting = self.lazy & ~present
        g2 = g * g
        cold = (self.v < self.guard_below) & (g2 > GUARD_RATIO * self.v)
        self.m = np.where(resting, 1.0, BETA1) * self.m + (1 - BETA1) * g
        self.v = np.where(resting, 1.0, self.beta2) * self.v + (1 - self.beta2) * g2
        self.v = np.where(self.guard & cold, g2, self.v)
        divisor = np.sqrt(self.v) + self.epsilon
        moving = (divisor > 0) & ~resting
        u: Array = np.divide(self.m, divisor, out=np.zeros_like(self.m), where=moving)
        return u


def update_at_return(
    arm: RowArm, m: float, v: float, n_absent: int, gradient: float = 1.0
) -> float:
    """Return u of a row that was left at moments m, v, is absent for a time, and meets a gradient.

    Dense: (b1^(T+1) m + (1 - b1) g)/(sqrt(b2^(T+1) v + (1 - b2) g^2) + eps), which tends to
    (1 - b1)/sqrt(1 - b2) as T grows. Lazy: the same with T = 0. Guard: v := g^2 where it acts.
    """
    waited = 0 if arm.lazy else n_absent
    m_then, v_then = BETA1**waited * m, arm.beta2**waited * v
    below = (GUARD_KAPPA * arm.epsilon) ** 2 if arm.guard_below_epsilon else np.inf
    second = arm.beta2 * v_then + (1 - arm.beta2) * gradient**2
    if arm.guard and v_then < below and gradient**2 > GUARD_RATIO * v_then:
        second = gradient**2
    return float((BETA1 * m_then + (1 - BETA1) * gradient) / (np.sqrt(second) + arm.epsilon))


def kick_distance(beta2: float) -> float:
    """Return how far one gradient moves a cold row in the end, in learning rates.

    The sum over k of the update k steps later, (1 - b1)/sqrt(1 - b2)/(1 - b1/sqrt(b2)).
    """
    return (1 - BETA1) / math.sqrt(1 - beta2) / (1 - BETA1 / math.sqrt(beta2))


def half_kick_absence_steps(beta2: float) -> float:
    """Return after how long an absence the kick is half of its limit, for gradients of equal size.

    b2^(T+1) = 3 (1 - b2).
    """
    return float(np.log(3 * (1 - beta2)) / np.log(beta2) - 1)
