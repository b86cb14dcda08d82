"""Labelled runs for judging detectors: trainings whose awakening was switched on at a known step.

In: a problem, a seed. Out: `LabelledRun`: what every detector may see of each step, the step at
which the awakening begins, or None in a quiet run, and where the loss first leaves its noise.
The model has an early layer behind a gain, as in the gain-step problem (R1), beside a later layer of
another size that learns all the time, so that the norms over all tensors are diluted as in a real
model. Trained by torch's own AdamW.
"""

import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass

import torch
from torch import Tensor, nn

from herd.stability.rolling_score import SPIKE_Z, WINDOW_STEPS
from herd.stability.verdict import Level
from herd.stability.watch import AdamWatch
from herd.stability.watch_config import WatchConfig

N_EARLY, N_LATE = 64, 512
BATCH = 256
COLD_GAIN = 1e-6
LATE_LEARNING_RATE = 2e-3
EPISODE_STEPS = 60  # after the switch; the loss has left its noise by then, or it does not


@dataclass(frozen=True, kw_only=True, slots=True)
class StepSeen:
    """What a detector may see of one step, when the step has been made.

    `update_norm` is the norm of the whole unclipped Adam update, `level` the watch's.
    """

    loss_nats: float
    grad_norm: float
    update_norm: float
    level: Level


@dataclass(frozen=True, kw_only=True, slots=True)
class LabelledRun:
    """One run; `awakening` is the index of the first awakened step, `spike` of the first bad loss.

    `name` says which problem. A run is judged from `first_judged` on: before it every window fills.
    """

    name: str
    seed: int
    steps: tuple[StepSeen, ...]
    awakening: int | None
    spike: int | None
    first_judged: int


@dataclass(frozen=True, kw_only=True, slots=True)
class GainProblem:
    """The gain of the early layer: `before` the switch, then `after`; None never switches.

    `rise_steps` spreads the switch (in the logarithm) over that many steps; `fraction` of the early
    coordinates take part in it.
    """

    name: str
    learning_rate: float = 0.05
    beta2: float = 0.95
    epsilon: float = 1e-6
    before: float = COLD_GAIN
    after: float = 1.0
    switch_step: int | None = 300
    rise_steps: int = 1
    fraction: float = 1.0
    n_steps: int = 420

    def gain(self, step: int) -> Tensor:
        """Return the gain of every early coordinate at this step, shape [64]."""
        takes_part = torch.arange(N_EARLY) < self.fraction * N_EARLY
        if self.switch_step is None or step < self.switch_step:
            return torch.full((N_EARLY,), self.before)
        done = min((step - self.switch_step + 1) / self.rise_steps, 1.0)
        risen = self.before * (self.after / self.before) ** done
        return torch.where(takes_part, risen, self.before)


class GainModel(nn.Module):
    """Logistic regression on two inputs: `early` behind the gain at its optimum, `late` from zero."""

    def __init__(self, generator: torch.Generator) -> None:
        super().__init__()
        self.target_early = 3 * torch.randn(N_EARLY, generator=generator) / N_EARLY**0.5
        self.target_late = 2 * torch.randn(N_LATE, generator=generator) / N_LATE**0.5
        self.early = nn.Parameter(self.target_early.clone())
        self.late = nn.Parameter(self.target_late.clone())

    def loss(self, gain: Tensor, generator: torch.Generator) -> Tensor:
        """Return the mean cross-entropy of a fresh batch, in nats."""
        x = torch.randn(BATCH, N_EARLY, generator=generator)
        z = torch.randn(BATCH, N_LATE, generator=generator)
        truth = x @ self.target_early + z @ self.target_late
        labels = torch.bernoulli(torch.sigmoid(truth), generator=generator)
        logits = truth + (x * gain) @ (self.early - self.target_early)
        logits = logits + z @ (self.late - self.target_late)
        return nn.functional.binary_cross_entropy_with_logits(logits, labels)


def gain_run(problem: GainProblem, seed: int) -> LabelledRun:
    """Train the gain problem and return what was seen."""
    generator = torch.Generator().manual_seed(seed)
    model = GainModel(generator)
    optimizer = torch.optim.AdamW(
        [
            {"params": [model.early], "lr": problem.learning_rate},
            {"params": [model.late], "lr": LATE_LEARNING_RATE},
        ],
        betas=(0.9, problem.beta2),
        eps=problem.epsilon,
        weight_decay=0.0,
    )

    def loss(step: int) -> Tensor:
        return model.loss(problem.gain(step), generator)

    steps = watched_steps(model, optimizer, loss, problem.n_steps)
    return label(problem.name, seed, steps, problem.switch_step)


def watched_steps(
    model: nn.Module,
    optimizer: torch.optim.Optimizer,
    loss_at: Callable[[int], Tensor],
    n_steps: int,
) -> tuple[StepSeen, ...]:
    """Train for `n_steps` under a watch of every coordinate; return what could be seen."""
    watch = AdamWatch(optimizer, model, config=WatchConfig(max_coordinates=None, distributed=False))
    seen = []
    for step in range(n_steps):
        optimizer.zero_grad(set_to_none=True)
        loss = loss_at(step)
        loss.backward()  # type: ignore[no-untyped-call]
        grad_norm = nn.utils.get_total_norm(
            [p.grad for p in model.parameters() if p.grad is not None]
        )
        optimizer.step()
        verdict = watch.step(loss=loss.detach(), grad_norm=grad_norm)
        seen.append(
            StepSeen(
                loss_nats=float(loss.detach()),
                grad_norm=float(grad_norm),
                update_norm=watch.update_norm,
                level=verdict.level,
            )
        )
    watch.detach()
    return tuple(seen)


def label(name: str, seed: int, steps: Sequence[StepSeen], awakening: int | None) -> LabelledRun:
    """Return the labelled run; the spike is the first loss 6 deviations above the quiet before it."""
    spike = None
    if awakening is not None:
        before = [each.loss_nats for each in steps[max(0, awakening - WINDOW_STEPS) : awakening]]
        mean = sum(before) / len(before)
        spread = math.sqrt(sum((loss - mean) ** 2 for loss in before) / (len(before) - 1))
        episode = range(awakening, min(awakening + EPISODE_STEPS, len(steps)))
        spike = next((i for i in episode if _z(steps[i], mean, spread) > SPIKE_Z), None)
    return LabelledRun(
        name=name,
        seed=seed,
        steps=tuple(steps),
        awakening=awakening,
        spike=spike,
        first_judged=WINDOW_STEPS,
    )


def _z(step: StepSeen, mean: float, spread: float) -> float:
    loss = step.loss_nats
    return (loss - mean) / spread if math.isfinite(loss) else math.inf
