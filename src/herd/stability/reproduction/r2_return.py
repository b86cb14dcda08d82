"""One embedding row that is absent and comes back, exactly: arms, absences, the simulation.

Out: the update at return beside its closed form, and the silent steps that follow.
"""

import numpy as np

from herd.stability import theory
from herd.stability.reproduction.r2_sparse_rows import (
    BETA1,
    RowAdam,
    RowArm,
    update_at_return,
)

BETA2S = (0.95, 0.98, 0.999)
ABSENCES = (0, 1, 3, 10, 30, 100, 300, 1000, 3000, 10_000)
TAIL_STEPS, WARM_STEPS = 400, 8000  # warm: v forgets its start at every beta2
SMALL_EPSILON, LARGE_EPSILON = 1e-8, 1.0  # the unit is the size of the row's gradient
RETURN_ARMS = tuple(
    arm
    for b in BETA2S
    for arm in (
        RowArm(beta2=b),
        RowArm(beta2=b, epsilon=0.1),
        RowArm(beta2=b, epsilon=LARGE_EPSILON),
        RowArm(beta2=b, lazy=True),
        RowArm(beta2=b, guard=True),
        RowArm(beta2=b, epsilon=SMALL_EPSILON, guard=True, guard_below_epsilon=True),
    )
)


def simulate_returns() -> tuple[np.ndarray, np.ndarray, float, dict[float, float]]:
    """Return |u| at return, simulated and in closed form, each `[arm, absence]`.

    Also the largest error of the silent steps that follow, against `fresh_gradient_update`, and how
    far one gradient moved a cold row by beta2. All rows see 8000 gradients of alternating sign first.
    """
    adam = RowAdam(RETURN_ARMS, 1, 1)
    yes, no = np.ones((1, 1), dtype=bool), np.zeros((1, 1), dtype=bool)
    for step in range(WARM_STEPS):
        adam.step(np.full((1, 1), (-1.0) ** step), yes)
    m, v = adam.m.copy(), adam.v.copy()
    simulated = np.empty((len(RETURN_ARMS), len(ABSENCES)))
    expected = np.empty_like(simulated)
    absent = 0
    for j, absence in enumerate(ABSENCES):
        while absent < absence:
            adam.step(np.zeros((1, 1)), no)
            absent += 1
        kept = adam.m, adam.v
        simulated[:, j] = adam.step(np.ones((1, 1)), yes)[:, 0, 0]
        adam.m, adam.v = kept
        for i, arm in enumerate(RETURN_ARMS):
            expected[i, j] = update_at_return(arm, m[i, 0, 0], v[i, 0, 0], absence)
    return simulated, expected, *_silent_tail()


def _silent_tail() -> tuple[float, dict[float, float]]:
    """Follow one gradient on rows that never saw one; return the largest error and the distances."""
    arms = [RowArm(beta2=b) for b in BETA2S]
    adam = RowAdam(arms, 1, 1)
    u = adam.step(np.ones((1, 1)), np.ones((1, 1), dtype=bool))[:, 0, 0]
    total, error = u.copy(), 0.0
    for k in range(1, TAIL_STEPS):
        u = adam.step(np.zeros((1, 1)), np.zeros((1, 1), dtype=bool))[:, 0, 0]
        total += u
        exact = [theory.fresh_gradient_update(BETA1, b, 1, k) for b in BETA2S]
        error = max(error, float(np.abs(u - exact).max()))
    return error, dict(zip(BETA2S, (float(t) for t in total), strict=True))
