"""R1's negative control: a chain of gates that opens late, so that a vector awakens in good health.

In: epsilon, the number of gates, seeds. Out: loss, update norm and alignment of the vector at each
step. While the gates are nearly shut, `a` sees tiny gradients; when they open, its update is large
and points downhill. A detector that calls this a fault is wrong.
Source: the specification's 8.1, negative control; logit = b.x + (product of gates) a.x'.
"""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import torch
from numpy.typing import NDArray

from herd.stability.reproduction.r1_gain_step import TINY, sigmoid
from herd.stability.simulator import Array, cosine

BETA1, BETA2, LEARNING_RATE = 0.9, 0.95, 1e-2
N_DIMENSIONS, BATCH_SIZE = 64, 1024
N_STEPS_A, N_STEPS_B = 300, 700
MAX_GATES = 6
FIRST_GATE = 0.1
SIGNAL = 4.0


@dataclass(frozen=True, kw_only=True, slots=True)
class ChainArm:
    """One chain."""

    epsilon: float
    n_gates: int


@dataclass(frozen=True, kw_only=True, slots=True)
class ChainTrace:
    """Arrays `[seed, step, arm]`; the update is that of the vector `a` behind the gates."""

    arms: tuple[ChainArm, ...]
    loss_nats: Array
    update_rms: Array
    alignment: Array

    def peaks(self) -> NDArray[np.intp]:
        """Return the step of phase B, `[seed, arm]`, at which the update of `a` is largest."""
        steps: NDArray[np.intp] = self.update_rms[:, N_STEPS_A:].argmax(1)
        return steps


class _Moments:
    """Adam for one tensor, without bias correction."""

    def __init__(self, epsilon: Array) -> None:
        self.epsilon = epsilon
        self.m: Array = np.zeros(1)
        self.v: Array = np.zeros(1)

    def update(self, g: Array) -> Array:
        self.m = BETA1 * self.m + (1 - BETA1) * g
        self.v = BETA2 * self.v + (1 - BETA2) * g * g
        u: Array = self.m / (np.sqrt(self.v) + self.epsilon + TINY)
        return u


def run_gated_chain(arms: Sequence[ChainArm], seeds: Sequence[int]) -> ChainTrace:
    """Train every chain on every seed; arms share the data."""
    epsilon = np.array([arm.epsilon for arm in arms])
    open_gates = np.arange(MAX_GATES)[:, None] >= np.array([arm.n_gates for arm in arms])
    generators = [torch.Generator().manual_seed(1000 + seed) for seed in seeds]
    shape, n_steps = (len(seeds), N_DIMENSIONS, len(arms)), N_STEPS_A + N_STEPS_B
    truth_b, truth_a, start = (_vectors(generators) for _ in range(3))
    b, a = np.zeros(shape), start + np.zeros(shape)
    w = np.where(open_gates, 1.0, FIRST_GATE) + np.zeros((len(seeds), 1, 1))
    adam_b, adam_a, adam_w = (_Moments(epsilon) for _ in range(3))
    trace = ChainTrace(
        arms=tuple(arms),
        loss_nats=np.empty((len(seeds), n_steps, len(arms))),
        update_rms=np.empty((len(seeds), n_steps, len(arms))),
        alignment=np.empty((len(seeds), n_steps, len(arms))),
    )
    u_a: Array = np.zeros(shape)
    for step in range(n_steps):
        x, x_late, uniform = _batch(generators)
        signal = x @ truth_b + (x_late @ truth_a if step >= N_STEPS_A else 0)
        labels = (uniform < sigmoid(SIGNAL * signal)).astype(np.float32)
        late = x_late @ a.astype(np.float32)
        gate = w.prod(1)[:, None]
        logits = x @ b.astype(np.float32) + gate.astype(np.float32) * late
        residual = (sigmoid(logits) - labels) / BATCH_SIZE
        g_a = gate * (np.swapaxes(x_late, 1, 2) @ residual)
        g_b = np.swapaxes(x, 1, 2) @ residual
        g_w = np.where(open_gates, 0.0, _other_gates(w) * (residual * late).sum(1)[:, None])
        trace.loss_nats[:, step] = (np.log1p(np.exp(logits)) - labels * logits).mean(1)
        trace.alignment[:, step] = cosine(g_a, u_a, axis=1)
        u_a = adam_a.update(g_a)
        trace.update_rms[:, step] = np.sqrt((u_a * u_a).mean(1))
        a = a - LEARNING_RATE * u_a
        b = b - LEARNING_RATE * adam_b.update(g_b)
        w = w - LEARNING_RATE * adam_w.update(g_w)
    return trace


def _vectors(generators: Sequence[torch.Generator]) -> Array:
    drawn = torch.stack([torch.randn(N_DIMENSIONS, 1, generator=g) for g in generators])
    vectors: Array = drawn.numpy() / np.float32(np.sqrt(N_DIMENSIONS))
    return vectors


def _batch(generators: Sequence[torch.Generator]) -> tuple[Array, Array, Array]:
    size = (BATCH_SIZE, 2 * N_DIMENSIONS)
    both = np.stack([torch.randn(size, generator=g).numpy() for g in generators])
    uniform = np.stack([torch.rand(BATCH_SIZE, 1, generator=g).numpy() for g in generators])
    return both[:, :, :N_DIMENSIONS], both[:, :, N_DIMENSIONS:], uniform


def _other_gates(w: Array) -> Array:
    """Return for each gate the product of all others, `[seed, gate, arm]`; gates may be 0."""
    products = [np.delete(w, i, axis=1).prod(1) for i in range(w.shape[1])]
    return np.stack(products, axis=1)
