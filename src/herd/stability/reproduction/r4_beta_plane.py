"""Adam on a one-dimensional quadratic, at every point of a grid of beta1 and beta2 at once.

In: the grid, the number of updates, epsilon, starting points. Out: how large |x| gets late in the
run, how large it is as a rule, and how often sqrt(v) lies below epsilon.
L = x^2/2 has the same curvature everywhere, so whatever spikes here is Adam's own doing: v decays
while x is small until the preconditioned curvature passes the edge of stability.
Source: the setting of Tang et al., "Beyond quadratic loss", as the specification's 8.4 gives it.
"""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from herd.foundation import UserError
from herd.stability.simulator import Array

SAMPLE_EVERY = 8
UNDERFLOW = 1e-100  # |x| that never returns to this size is lost to rounding
SMALLEST = 1e-300  # below lie denormal numbers, which are slow and mean nothing here


@dataclass(frozen=True, kw_only=True, slots=True)
class BetaPlane:
    """Arrays `[start and epsilon, 1 - beta1, 1 - beta2]` over the last half of the updates.

    `typical` is the geometric mean of |x|, `largest` its maximum, `rms` its root mean square.
    """

    one_minus_beta1: Array
    one_minus_beta2: Array
    n_updates: int
    largest: Array
    rms: Array
    typical: Array
    cold_fraction: Array

    @property
    def underflown(self) -> NDArray[np.bool_]:
        """Return where x has left the range of float64, so that nothing can be said."""
        return self.largest < UNDERFLOW

    @property
    def crest(self) -> Array:
        """Return the largest |x| over its RMS: 1 to 2 for steady swinging, more for rare spikes.

        NaN where x has underflown.
        """
        ratio: Array = np.where(
            self.underflown, np.nan, self.largest / np.maximum(self.rms, SMALLEST)
        )
        return ratio


def run_beta_plane(
    one_minus_beta1: Array,
    one_minus_beta2: Array,
    starts: Sequence[float],
    epsilons: Sequence[float],
    *,
    n_updates: int = 250_000,
    learning_rate: float = 0.1,
) -> BetaPlane:
    """Run Adam without bias correction from every start, each with its epsilon, on the whole grid.

    Raises UserError for a run too short to have a late half.
    """
    if n_updates < 2 * SAMPLE_EVERY:
        raise UserError(f"the quadratic needs at least {2 * SAMPLE_EVERY} updates, not {n_updates}")
    shape = (len(starts), len(one_minus_beta1), len(one_minus_beta2))
    fresh1 = np.broadcast_to(one_minus_beta1[:, None], shape).ravel()
    fresh2 = np.broadcast_to(one_minus_beta2, shape).ravel()
    x = np.repeat(np.asarray(starts, dtype=np.float64), shape[1] * shape[2])
    epsilon = np.repeat(np.asarray(epsilons, dtype=np.float64), shape[1] * shape[2])
    state = (x, np.zeros_like(x), np.zeros_like(x))
    late = _Late(x.size, epsilon)
    scratch = np.empty_like(x)
    half = n_updates // 2
    for update in range(n_updates):
        _adam_update(state, fresh1, fresh2, epsilon, learning_rate, scratch)
        if update >= half:
            late.see(state, scratch, sample=update % SAMPLE_EVERY == 0)
    return BetaPlane(
        one_minus_beta1=one_minus_beta1,
        one_minus_beta2=one_minus_beta2,
        n_updates=n_updates,
        largest=late.largest.reshape(shape),
        rms=np.sqrt(late.squares / (n_updates - half)).reshape(shape),
        typical=np.exp(late.logs / max(1, late.n_samples)).reshape(shape),
        cold_fraction=(late.cold / max(1, late.n_samples)).reshape(shape),
    )


def _adam_update(
    state: tuple[Array, Array, Array],
    fresh1: Array,
    fresh2: Array,
    epsilon: Array,
    learning_rate: float,
    scratch: Array,
) -> None:
    """Update x, m and v in place; the gradient of x^2/2 is x."""
    x, m, v = state
    np.subtract(x, m, out=scratch)
    scratch *= fresh1
    m += scratch
    np.multiply(x, x, out=scratch)
    scratch -= v
    scratch *= fresh2
    v += scratch
    np.maximum(v, SMALLEST, out=v)
    np.sqrt(v, out=scratch)
    scratch += epsilon
    np.divide(m, scratch, out=scratch)
    scratch *= learning_rate
    x -= scratch


class _Late:
    """What is gathered over the last half."""

    def __init__(self, n: int, epsilon: Array) -> None:
        self.epsilon = epsilon
        self.largest, self.squares = np.zeros(n), np.zeros(n)
        self.logs, self.cold = np.zeros(n), np.zeros(n)
        self.n_samples = 0

    def see(self, state: tuple[Array, Array, Array], scratch: Array, *, sample: bool) -> None:
        x, _, v = state
        np.abs(x, out=scratch)
        np.maximum(self.largest, scratch, out=self.largest)
        if sample:
            self.n_samples += 1
            self.logs += np.log(np.maximum(scratch, SMALLEST))
            self.cold += np.sqrt(v) < self.epsilon
        np.multiply(x, x, out=scratch)
        self.squares += scratch


def run_trace(
    beta1: float,
    beta2: float,
    n_updates: int,
    *,
    epsilon: float = 1e-30,
    learning_rate: float = 0.1,
) -> tuple[Array, Array]:
    """Return |x| and sqrt(v) at every update from x = 1, each `[update]`."""
    state = (np.ones(1), np.zeros(1), np.zeros(1))
    scratch = np.empty(1)
    constants = (np.array([1 - beta1]), np.array([1 - beta2]), np.array([epsilon]))
    sizes, roots = np.empty(n_updates), np.empty(n_updates)
    for update in range(n_updates):
        _adam_update(state, *constants, learning_rate, scratch)
        sizes[update], roots[update] = abs(state[0][0]), np.sqrt(state[2][0])
    return sizes, roots
