"""Is a large update the work of the gradients' order in time? A permutation test.

In: recorded gradients `[step, coordinate]`. Out: the norm of Adam's update on them, the norm when
their steps are shuffled, and a p-value for "order does not matter".
A large norm that shuffling destroys came from correlation in time; one that survives came from a
mean, which does not depend on order: a signal.
"""

from dataclasses import dataclass

import numpy as np

from herd.stability.simulator import Array, MomentSimulator

WARMUP_STEPS = 10  # not counted: every history starts cold, whatever its order


@dataclass(frozen=True, kw_only=True, slots=True)
class OrderTest:
    """`p_value` is the share of orders, the true one included, with a norm as large."""

    update_rms: float
    shuffled_rms: float
    p_value: float


def order_test(
    gradients: Array,
    beta1: float,
    beta2: float,
    rng: np.random.Generator,
    *,
    epsilon: float = 0.0,
    n_permutations: int = 199,
) -> OrderTest:
    """Compare the mean RMS of the update under the recorded order with random orders."""
    n_steps = len(gradients)
    orders = [np.arange(n_steps), *(rng.permutation(n_steps) for _ in range(n_permutations))]
    order = np.stack(orders)
    adam = MomentSimulator(beta1, beta2, epsilon)
    total = np.zeros(len(order))
    for step in range(n_steps):
        adam.step(gradients[order[:, step]])
        if step >= WARMUP_STEPS:
            total += np.sqrt((adam.update() ** 2).mean(1))
    norms = total / max(1, n_steps - WARMUP_STEPS)
    as_large = int((norms[1:] >= norms[0]).sum())
    return OrderTest(
        update_rms=float(norms[0]),
        shuffled_rms=float(norms[1:].mean()),
        p_value=(1 + as_large) / (1 + n_permutations),
    )
