"""Embedding rows under Zipf's law: how large an update is after an absence, by its length.

In: seeds, arms. Out: by arm and length of the absence, the RMS of the update of a returning row and
the share of returns that are full kicks; and how far a rare row walks for each time it is seen.
Gradients are pure noise: whatever a row moves, it should not.
"""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from herd.stability import theory
from herd.stability.reproduction.r2_sparse_rows import BETA1, RowAdam, RowArm
from herd.stability.simulator import Array

VOCABULARY, N_DIMENSIONS, TOKENS_PER_STEP, N_STEPS = 1000, 2, 64, 1500
ABSENCES = (0, 3, 10, 30, 100, 300, N_STEPS)  # upper ends; the last class is "longer"
N_CLASSES = len(ABSENCES) + 1  # and rows never seen before
RARE_FROM = 500
KICK_SHARE = 0.9


@dataclass(frozen=True, kw_only=True, slots=True)
class ZipfTrace:
    """Arrays `[seed, arm, class]`; `walk` is `[seed, arm]`, in learning rates for each visit."""

    arms: tuple[RowArm, ...]
    returns: Array  # [seed, class]
    update_rms: Array
    kicked: Array
    walk: Array


def class_names() -> list[str]:
    """Return the classes of absences in words."""
    names = ["none"]
    for low, high in zip(ABSENCES, ABSENCES[1:], strict=False):
        names.append(f"{low + 1} to {high}" if high < N_STEPS else f"over {low}")
    return [*names, "never seen before"]


def run_zipf(arms: Sequence[RowArm], seeds: Sequence[int]) -> ZipfTrace:
    """Train every arm on every seed."""
    runs = [_run(arms, np.random.default_rng((seed, 31))) for seed in seeds]
    returns, rms, kicked, walk = (np.stack(part) for part in zip(*runs, strict=True))
    return ZipfTrace(arms=tuple(arms), returns=returns, update_rms=rms, kicked=kicked, walk=walk)


def _run(arms: Sequence[RowArm], rng: np.random.Generator) -> tuple[Array, Array, Array, Array]:
    adam = RowAdam(arms, VOCABULARY, N_DIMENSIONS)
    frequency = 1 / np.arange(1, VOCABULARY + 1)
    frequency /= frequency.sum()
    kicks = np.array(
        [[[KICK_SHARE * theory.fresh_gradient_update(BETA1, arm.beta2)]] for arm in arms]
    )
    last_seen = np.full(VOCABULARY, -1)
    theta: Array = np.zeros_like(adam.m)
    visits = np.zeros(VOCABULARY)
    squares, kicked = np.zeros((len(arms), N_CLASSES)), np.zeros((len(arms), N_CLASSES))
    returns = np.zeros(N_CLASSES)
    for step in range(N_STEPS):
        counts = np.bincount(
            rng.choice(VOCABULARY, TOKENS_PER_STEP, p=frequency), minlength=VOCABULARY
        )
        here = counts > 0
        noise = rng.standard_normal((VOCABULARY, N_DIMENSIONS))
        g = np.sqrt(counts)[:, None] * noise / TOKENS_PER_STEP
        u = adam.step(g, here[:, None])
        absent = step - last_seen[here] - 1
        kind = np.where(last_seen[here] < 0, N_CLASSES - 1, np.searchsorted(ABSENCES, absent))
        returns += np.bincount(kind, minlength=N_CLASSES)
        u2, full = (u[:, here] ** 2).mean(2), (np.abs(u[:, here]) >= kicks).mean(2)
        for i in range(len(arms)):
            squares[i] += np.bincount(kind, u2[i], N_CLASSES)
            kicked[i] += np.bincount(kind, full[i], N_CLASSES)
        last_seen[here] = step
        visits += here
        theta = theta - u
    seen = np.maximum(returns, 1)
    rare = (np.arange(VOCABULARY) >= RARE_FROM) & (visits > 0)
    walk = np.sqrt(((theta**2).mean(2)[:, rare] / visits[rare]).mean(1))
    empty = np.where(returns > 0, 1.0, np.nan)
    return returns, np.sqrt(squares / seen) * empty, kicked / seen * empty, walk
