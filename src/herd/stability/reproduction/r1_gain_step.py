"""The gain-step task: logistic regression whose trained vector is switched off, then on again.

In: the task's sizes, arms that share the data, seeds. Out: loss and statistics of the update at each
step. A vector `a` stands at its optimum while the gain of what lies behind it is 1e-6 (cooling);
then the gain rises (awakening) and Adam meets gradients a million times larger.
Source: the specification's 8.1; u = m/(sqrt(v) + epsilon + 1e-30), no bias correction.
"""

from collections.abc import Collection, Sequence
from dataclasses import dataclass, field

import numpy as np
import torch

from herd.foundation import UserError
from herd.stability.simulator import Array, cosine

BETA1 = 0.9
TINY = 1e-30
COLD_GAIN = 1e-6
GUARD_RATIO, GUARD_AFTER_STEPS = 100.0, 20
LOGIT_LIMIT = 60.0  # keeps exp() finite in float32; the loss is linear long before
BASELINE_STEPS, SPIKE_STEPS = 60, 40


@dataclass(frozen=True, kw_only=True, slots=True)
class GainStepTask:
    """Sizes of the task; the defaults are the specification's."""

    n_dimensions: int = 64
    batch_size: int = 256
    n_cold_steps: int = 200
    n_awake_steps: int = 150

    def __post_init__(self) -> None:
        """Check the sizes."""
        if min(self.n_dimensions, self.batch_size) < 1 or self.n_awake_steps < 2:
            raise UserError("the gain-step task needs dimensions, a batch and 2 steps awake")
        if self.n_cold_steps < BASELINE_STEPS:
            raise UserError(f"the gain-step task needs at least {BASELINE_STEPS} cold steps")

    @property
    def n_steps(self) -> int:
        """Return the steps of a run."""
        return self.n_cold_steps + self.n_awake_steps


@dataclass(frozen=True, kw_only=True, slots=True)
class Arm:
    """One way to run Adam on the task; arms of a run see the same data."""

    beta2: float
    epsilon: float
    learning_rate: float = 0.05
    cold_guard: bool = False
    update_clip: float = float("inf")
    awake_gain: float = 1.0
    awake_share: float = 1.0  # of the coordinates, the first ones
    permute_signs: bool = False  # of the update, from the switch on

    @property
    def name(self) -> str:
        """Return a short label."""
        extras = [
            "" if self.learning_rate == 0.05 else f"learning rate x {self.learning_rate / 0.05:g}",
            "cold guard" if self.cold_guard else "",
            f"update clip {self.update_clip:g}" if np.isfinite(self.update_clip) else "",
            "signs permuted" if self.permute_signs else "",
        ]
        return " + ".join([f"beta2 {self.beta2:g}, eps {self.epsilon:g}", *filter(None, extras)])


@dataclass(frozen=True, kw_only=True, slots=True)
class GainStepTrace:
    """What happened: arrays `[seed, step, arm]`; `a`, `u` and `g` also `[.., dimension, ..]`.

    `u` is before clipping, `alignment` is cos(g_t, u_{t-1}), NaN at the first step. `weights`, `updates`
    and `gradients` stand for the steps that were asked for, by step.
    """

    task: GainStepTask
    arms: tuple[Arm, ...]
    loss_nats: Array
    update_rms: Array
    alignment: Array
    cold_fraction: Array
    optimum: Array  # [seed, dimension]
    weights: dict[int, Array] = field(default_factory=dict)  # a before the step
    updates: dict[int, Array] = field(default_factory=dict)
    gradients: dict[int, Array] = field(default_factory=dict)

    def rises_nats(self) -> Array:
        """Return, `[seed, arm]`, the largest loss within 40 steps of the switch over that before."""
        switch = self.task.n_cold_steps
        before = self.loss_nats[:, switch - BASELINE_STEPS : switch].mean(1)
        rises: Array = self.loss_nats[:, switch : switch + SPIKE_STEPS].max(1) - before
        return rises

    def spike_scores(self) -> Array:
        """Return z, `[seed, arm]`: how far the loss rises within 40 steps of the switch.

        In standard deviations of the 60 steps before it. Pure noise scores about 2 to 3.
        """
        switch = self.task.n_cold_steps
        before = self.loss_nats[:, switch - BASELINE_STEPS : switch]
        scores: Array = self.rises_nats() / before.std(1)
        return scores


class _Lanes:
    """The arms' constants as arrays `[arm]` and the gain `[dimension, arm]`."""

    def __init__(self, task: GainStepTask, arms: Sequence[Arm]) -> None:
        self.beta2 = np.array([arm.beta2 for arm in arms])
        self.epsilon = np.array([arm.epsilon for arm in arms])
        self.learning_rate = np.array([arm.learning_rate for arm in arms])
        self.clip = np.array([arm.update_clip for arm in arms])
        self.guarded = np.array([arm.cold_guard for arm in arms])
        self.permuted = np.array([arm.permute_signs for arm in arms])
        index = np.arange(task.n_dimensions)[:, None]
        awake = index < np.ceil(task.n_dimensions * np.array([arm.awake_share for arm in arms]))
        self.cold_gain = np.full(awake.shape, COLD_GAIN)
        self.awake_gain = np.where(awake, [arm.awake_gain for arm in arms], COLD_GAIN)


class _Data:
    """Batches of every seed, each seed with a generator of its own, so that seeds do not depend."""

    def __init__(self, task: GainStepTask, seeds: Sequence[int]) -> None:
        self.generators = [torch.Generator().manual_seed(seed) for seed in seeds]
        d, n = task.n_dimensions, len(seeds)
        self.x = torch.empty(n, task.batch_size, d)
        self.uniform = torch.empty(n, task.batch_size)
        optimum = torch.empty(n, d)
        for row, generator in zip(optimum, self.generators, strict=True):
            row.normal_(generator=generator)
        self.optimum: Array = 3 * optimum.double().numpy() / np.sqrt(d)

    def draw(self) -> tuple[Array, Array, Array]:
        """Return x `[seed, B, d]`, its true logits and labels `[seed, B, 1]`."""
        for i, generator in enumerate(self.generators):
            self.x[i].normal_(generator=generator)
            self.uniform[i].uniform_(generator=generator)
        x = self.x.numpy()
        logits = x @ self.optimum.astype(np.float32)[:, :, None]
        labels = (self.uniform.numpy()[:, :, None] < sigmoid(logits)).astype(np.float32)
        return x, logits, labels


def run_gain_step(
    task: GainStepTask, arms: Sequence[Arm], seeds: Sequence[int], keep_steps: Collection[int] = ()
) -> GainStepTrace:
    """Run every arm on every seed; keep weights, updates and gradients at `keep_steps`.

    A seed gives the same bits whatever other seeds run beside it.
    """
    data, lanes = _Data(task, seeds), _Lanes(task, arms)
    shape = (len(seeds), task.n_dimensions, len(arms))
    trace = _empty_trace(task, arms, data.optimum)
    offset: Array = np.zeros(shape)
    m, v, u = offset, offset, offset
    signs = [np.random.default_rng((seed, 8)) for seed in seeds]
    for step in range(task.n_steps):
        awake = step >= task.n_cold_steps
        loss, g = loss_and_gradient(
            data.draw(), offset, lanes.awake_gain if awake else lanes.cold_gain
        )
        trace.loss_nats[:, step] = loss
        trace.alignment[:, step] = cosine(g, u, axis=1)
        trace.cold_fraction[:, step] = (np.sqrt(v) < lanes.epsilon).mean(1)
        m = BETA1 * m + (1 - BETA1) * g
        v = _second_moment(v, g, lanes, step)
        u = m / (np.sqrt(v) + lanes.epsilon + TINY)
        if awake and lanes.permuted.any():
            flips = np.stack([rng.choice([-1.0, 1.0], (shape[1], 1)) for rng in signs])
            u = np.where(lanes.permuted, u * flips, u)
        rms = np.sqrt((u * u).mean(1))
        trace.update_rms[:, step] = rms
        if step in keep_steps:
            trace.weights[step] = offset + data.optimum[:, :, None]
            trace.updates[step], trace.gradients[step] = u.copy(), g.copy()
        offset = (
            offset - lanes.learning_rate * u * np.minimum(1, lanes.clip / (rms + TINY))[:, None]
        )
    return trace


def loss_and_gradient(
    batch: tuple[Array, Array, Array], offset: Array, gain: Array
) -> tuple[Array, Array]:
    """Return the mean cross-entropy `[seed, arm]` and its gradient `[seed, dimension, arm]`."""
    x, true_logits, labels = batch
    logits = true_logits + x @ (gain * offset).astype(np.float32)
    grown = np.exp(np.clip(logits, -LOGIT_LIMIT, LOGIT_LIMIT))
    loss = (np.log1p(grown) - labels * logits).mean(1, dtype=np.float64)
    residual = grown / (1 + grown) - labels
    gradient = gain * (np.swapaxes(x, 1, 2) @ residual).astype(np.float64) / x.shape[1]
    return loss, gradient


def sigmoid(logits: Array) -> Array:
    """Return 1/(1 + exp(-logits))."""
    result: Array = 1 / (1 + np.exp(-logits))
    return result


def _second_moment(v: Array, g: Array, lanes: _Lanes, step: int) -> Array:
    g2 = g * g
    following: Array = lanes.beta2 * v + (1 - lanes.beta2) * g2
    if step >= GUARD_AFTER_STEPS and lanes.guarded.any():
        following = np.where(lanes.guarded & (g2 > GUARD_RATIO * v), g2, following)
    return following


def _empty_trace(task: GainStepTask, arms: Sequence[Arm], optimum: Array) -> GainStepTrace:
    shape = (len(optimum), task.n_steps, len(arms))
    return GainStepTrace(
        task=task,
        arms=tuple(arms),
        loss_nats=np.empty(shape),
        update_rms=np.empty(shape),
        alignment=np.empty(shape),
        cold_fraction=np.empty(shape),
        optimum=optimum,
    )
