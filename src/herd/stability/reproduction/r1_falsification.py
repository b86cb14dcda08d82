"""Attempts to refute what R1 seems to show: order in time, direction of the step, drift.

In: a finished gain-step run with recorded weights, updates and gradients. Out: tables of numbers
over seeds. Source: the specification's 8.5, checks 2 and 3, and reading 2 of 8.1.
"""

from collections.abc import Sequence

import numpy as np
import torch

from herd.stability.reproduction.intervals import Estimate, line_fit, mean_interval, share_interval
from herd.stability.reproduction.order_test import OrderTest, order_test
from herd.stability.reproduction.r1_gain_step import (
    BETA1,
    GainStepTrace,
    loss_and_gradient,
    sigmoid,
)
from herd.stability.reproduction.result import Table
from herd.stability.simulator import Array

N_SIGN_DRAWS = 31
HELD_OUT = 2048
SIGNIFICANT = 0.05
DESCENT_STEPS = (0, 1, 2, 5, 10, 20)  # after the switch
ORDER_STEPS = 60
DRIFT_STEPS = (25, 50, 100, 199)
ROTATED_SEED = 50_000  # held-out data: no seed of training


def made_up_gradients(seed: int) -> dict[str, Array]:
    """Return gradients `[step, coordinate]` whose nature is known: the test's own control."""
    rng = np.random.default_rng((seed, 21))
    noise = rng.standard_normal((ORDER_STEPS, 64))
    persistent = noise.copy()
    for step in range(1, ORDER_STEPS):
        persistent[step] = 0.9 * persistent[step - 1] + np.sqrt(0.19) * noise[step]
    signal = noise + rng.choice([-1.0, 1.0], 64)
    return {
        "made up: independent noise": noise,
        "made up: noise with correlation 0.9": persistent,
        "made up: signal, SNR 1": signal,
    }


def recorded_gradients(trace: GainStepTrace, arm: int, *, awake: bool) -> list[Array]:
    """Return for each seed the gradients `[step, coordinate]` of 60 steps before or after the switch."""
    switch = trace.task.n_cold_steps
    steps = range(switch, switch + ORDER_STEPS) if awake else range(switch - ORDER_STEPS, switch)
    stacked = np.stack([trace.gradients[step][:, :, arm] for step in steps], axis=1)
    return list(stacked)


def order_tests(
    sources: dict[str, list[Array]], beta2: float, seeds: Sequence[int]
) -> dict[str, list[OrderTest]]:
    """Test every source on every seed."""
    return {
        name: [
            order_test(g, BETA1, beta2, np.random.default_rng((seed, 22)))
            for seed, g in zip(seeds, gradients, strict=True)
        ]
        for name, gradients in sources.items()
    }


def order_table(tests: dict[str, list[OrderTest]]) -> Table:
    """Return the permutation tests over seeds."""
    rows = tuple(
        (
            name,
            mean_interval([t.update_rms for t in results]),
            mean_interval([t.shuffled_rms for t in results]),
            destroyed(results),
            float(np.median([t.p_value for t in results])),
            share_interval(sum(t.p_value <= SIGNIFICANT for t in results), len(results)),
        )
        for name, results in tests.items()
    )
    return Table(
        name="time-order",
        caption="Permutation test of independence in time: RMS(u) of Adam (beta2 0.95, epsilon 0) on 60 "
        "gradients in their order and in 199 random orders; the last column is the share of seeds "
        "with p at most 0.05",
        columns=("gradients", "RMS(u)", "shuffled", "in order / shuffled", "median p", "p <= 0.05"),
        rows=rows,
    )


def destroyed(results: Sequence[OrderTest]) -> Estimate:
    """Return the norm in order over the norm shuffled."""
    return mean_interval([t.update_rms / t.shuffled_rms for t in results])


def descent_ranks(
    trace: GainStepTrace, arms: Sequence[int], seeds: Sequence[int]
) -> dict[tuple[int, int], tuple[Array, Array, Array]]:
    """Return by (arm, steps since the switch): change of held-out loss, of permuted steps, and rank.

    Each `[seed]`. The step of length |u| is taken once as Adam has it, and 31 times with random
    signs; the rank is the share of those that lower the loss more: 0.5 for a direction that knows
    nothing, 0 for descent, 1 for ascent.
    """
    results = {}
    data = [_held_out(trace, i, seed) for i, seed in enumerate(seeds)]
    for arm in arms:
        for k in DESCENT_STEPS:
            step = trace.task.n_cold_steps + k
            changes = np.stack(
                [
                    _loss_changes(trace, i, arm, step, data[i], np.random.default_rng((seed, k)))
                    for i, seed in enumerate(seeds)
                ]
            )
            real, permuted = changes[:, 0], changes[:, 1:]
            rank = (permuted < real[:, None]).mean(1)
            results[arm, k] = (real, permuted.mean(1), rank)
    return results


def descent_table(
    trace: GainStepTrace, ranks: dict[tuple[int, int], tuple[Array, Array, Array]]
) -> Table:
    """Return the test of direction."""
    return Table(
        name="direction",
        caption="Is the step uncorrelated with descent? Change of held-out loss (2048 samples) by the "
        "step, by steps of random signs and equal length, and the rank of the true one: 0.5 knows "
        "nothing, 0 descends, 1 ascends",
        columns=("arm", "k", "loss change, nats", "signs permuted", "rank"),
        rows=tuple(
            (trace.arms[arm].name, k, *(mean_interval(values) for values in triple))
            for (arm, k), triple in ranks.items()
        ),
    )


def drift_exponent(trace: GainStepTrace, arm: int) -> Estimate:
    """Return p of |a - a*| ~ t^p in the cold phase: 0.5 is a random walk. Over seeds."""
    slopes = []
    for i in range(len(trace.optimum)):
        distances = [
            float(np.linalg.norm(trace.weights[step][i, :, arm] - trace.optimum[i]))
            for step in DRIFT_STEPS
        ]
        if min(distances) > 0:
            slopes.append(line_fit(np.log(DRIFT_STEPS), np.log(distances))[1].mean)
    return mean_interval(slopes)


def _held_out(trace: GainStepTrace, i: int, seed: int) -> tuple[Array, Array, Array]:
    generator = torch.Generator().manual_seed(ROTATED_SEED + seed)
    x = torch.randn(1, HELD_OUT, trace.task.n_dimensions, generator=generator).numpy()
    uniform = torch.rand(1, HELD_OUT, 1, generator=generator).numpy()
    logits = x @ trace.optimum[i].astype(np.float32)[None, :, None]
    return x, logits, (uniform < sigmoid(logits)).astype(np.float32)


def _loss_changes(
    trace: GainStepTrace,
    i: int,
    arm: int,
    step: int,
    data: tuple[Array, Array, Array],
    rng: np.random.Generator,
) -> Array:
    """Return the change of held-out loss by the true step, then by those of random signs."""
    u = trace.updates[step][i, :, arm]
    signs = rng.choice([-1.0, 1.0], (len(u), N_SIGN_DRAWS))
    steps = np.concatenate([np.zeros((len(u), 1)), u[:, None], u[:, None] * signs], axis=1)
    offset = (trace.weights[step][i, :, arm] - trace.optimum[i])[:, None]
    after = offset - trace.arms[arm].learning_rate * steps
    losses = loss_and_gradient(data, after[None], np.ones(1))[0][0]
    changes: Array = losses[1:] - losses[0]
    return changes
