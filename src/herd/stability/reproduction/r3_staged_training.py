"""R3's training: a foundation in language A, cooling in A, then a switch to a mix with language B.

In: a task, an arm (how Adam is set), seeds. Out: at every step of cooling and awakening, for each
seed: loss, what the frozen weights of the switch lose on the same batch, and per layer the update's
RMS, its alignment, the cold fraction and the gradient's RMS.
The foundation is trained once and shared by the arms. Cooling then starts with empty moments, as
after a resume without its optimizer, and a short warm-up: so v holds the small gradients of late
training within 80 steps, where a run at scale needs thousands.
"""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import torch
from torch import Tensor

from herd.stability.reproduction.r3_staged_task import StagedArm, StagedTask
from herd.stability.reproduction.r3_staged_trace import (
    StagedTrace,
    by_layer,
    empty_trace,
    record_layers,
    record_losses,
    update_histograms,
)
from herd.stability.reproduction.r3_transformer import (
    DecoderShape,
    decoder_loss,
    initial_weights,
    named_weights,
)

BETA1 = 0.9
FOUNDATION_BETA2, FOUNDATION_EPSILON, FOUNDATION_DECAY_STEPS = 0.95, 1e-8, 40
N_PROBES = 4
DATA_SEED = 1_000_003


@dataclass(frozen=True, kw_only=True, slots=True)
class Foundation:
    """The weights that every arm starts from, and how large the embedding's first gradient was."""

    task: StagedTask
    seeds: tuple[int, ...]
    weights_RP: Tensor
    generator_states: tuple[Tensor, ...]
    embedding_gradient_rms: float

    def generators(self) -> list[torch.Generator]:
        """Return the data's generators where the foundation left them."""
        found = [torch.Generator() for _ in self.generator_states]
        for generator, state in zip(found, self.generator_states, strict=True):
            generator.set_state(state)
        return found


class FlatAdam:
    """Adam on rows of weights, as torch's AdamW without decay; 0/0 counts as 0."""

    def __init__(self, weights_RP: Tensor, *, beta2: float, epsilon: float) -> None:
        self.m = torch.zeros_like(weights_RP)
        self.v = torch.zeros_like(weights_RP)
        self.beta2, self.epsilon, self.n_steps = beta2, epsilon, 0

    def update(self, gradient_RP: Tensor) -> Tensor:
        """Take a gradient in; return u, to be multiplied by the learning rate."""
        self.n_steps += 1
        self.m.lerp_(gradient_RP, 1 - BETA1)
        self.v.mul_(self.beta2).addcmul_(gradient_RP, gradient_RP, value=1 - self.beta2)
        first = self.m / (1 - BETA1**self.n_steps)
        u_RP = first / (self.root_v() + self.epsilon)
        return torch.nan_to_num_(u_RP, 0.0, 0.0, 0.0) if self.epsilon == 0 else u_RP

    def root_v(self) -> Tensor:
        """Return the square root of v, corrected for its start at 0."""
        return (self.v / (1 - self.beta2 ** max(1, self.n_steps))).sqrt_()


def lay_foundation(task: StagedTask, seeds: Sequence[int]) -> Foundation:
    """Train on language A until it is known well; the rate falls over the last steps."""
    weights_RP = initial_weights(task.shape, list(seeds)).requires_grad_()
    generators = [torch.Generator().manual_seed(DATA_SEED + seed) for seed in seeds]
    adam = FlatAdam(weights_RP, beta2=FOUNDATION_BETA2, epsilon=FOUNDATION_EPSILON)
    first_rms = 0.0
    for step in range(task.n_foundation_steps):
        batch = draw(task, generators, new=False)
        _, gradient_RP = loss_and_gradient(task.shape, weights_RP, batch)
        if step == 0:
            embedding = gradient_RP[:, task.shape.layers["embedding"]]
            first_rms = float(embedding.square().mean().sqrt())
        left = (task.n_foundation_steps - step) / FOUNDATION_DECAY_STEPS
        rate = task.foundation_rate * min(1.0, (step + 1) / task.n_warmup_steps, left)
        with torch.no_grad():
            weights_RP.sub_(rate * adam.update(gradient_RP))
    states = tuple(generator.get_state() for generator in generators)
    return Foundation(
        task=task,
        seeds=tuple(seeds),
        weights_RP=weights_RP.detach(),
        generator_states=states,
        embedding_gradient_rms=first_rms,
    )


def draw(task: StagedTask, generators: list[torch.Generator], *, new: bool) -> Tensor:
    """Return the next batch of every seed, `[seed, sequence, position]`."""
    return torch.stack(
        [task.languages.batch(each, task.batch_size, new=new) for each in generators]
    )


def loss_and_gradient(
    shape: DecoderShape, weights_RP: Tensor, batch_RBS: Tensor
) -> tuple[Tensor, Tensor]:
    """Return loss_R and the gradient of each seed's loss in its own row."""
    loss_R = decoder_loss(shape, named_weights(shape, weights_RP), batch_RBS)
    (gradient_RP,) = torch.autograd.grad(loss_R.sum(), weights_RP)
    return loss_R.detach(), gradient_RP


def train_arm(
    foundation: Foundation,
    arm: StagedArm,
    *,
    histogram_steps: Sequence[int] = (),
    probe: bool = False,
) -> StagedTrace:
    """Cool, switch and awaken under one arm; all seeds side by side, none knows of another."""
    task = foundation.task
    weights_RP = foundation.weights_RP.clone().requires_grad_()
    adam = FlatAdam(weights_RP, beta2=arm.beta2, epsilon=arm.epsilon)
    generators = foundation.generators()
    trace = empty_trace(task, arm, foundation.seeds)
    before_RP = torch.zeros_like(weights_RP)
    frozen_RP = weights_RP.detach()
    for step in range(task.n_cold_steps + task.n_awake_steps):
        awake = step >= task.n_cold_steps
        if step == task.n_cold_steps:
            frozen_RP = weights_RP.detach().clone()
            if probe:
                _probe(trace, frozen_RP)
        batch = draw(task, generators, new=awake and arm.switches)
        loss_R, gradient_RP = loss_and_gradient(task.shape, weights_RP, batch)
        cold_RP = adam.root_v() < arm.epsilon
        if arm.refresh_v and step == task.n_cold_steps:
            adam.v = torch.maximum(adam.v, gradient_RP.square())
        u_RP = adam.update(gradient_RP)
        record_losses(trace, step, loss_R, weights_RP, frozen_RP if awake else None, batch)
        record_layers(trace, step, gradient_RP, u_RP, before_RP, cold_RP)
        if step - task.n_cold_steps in histogram_steps:
            trace.histograms[step - task.n_cold_steps] = update_histograms(task.shape, u_RP)
        with torch.no_grad():
            rate = arm.learning_rate * min(1.0, (step + 1) / task.n_warmup_steps)
            weights_RP.sub_(rate * u_RP)
        before_RP = u_RP
    return trace


def _probe(trace: StagedTrace, weights_RP: Tensor) -> None:
    """Measure batch noise and mean of the gradient on batches of their own."""
    task = trace.task
    weights_RP = weights_RP.clone().requires_grad_()
    for name, new in (("old", False), ("new", True)):
        generators = [torch.Generator().manual_seed(2 * DATA_SEED + seed) for seed in trace.seeds]
        gradients = torch.stack(
            [
                loss_and_gradient(task.shape, weights_RP, draw(task, generators, new=new))[1]
                for _ in range(N_PROBES)
            ]
        )
        variance_RP = gradients.var(0)
        square_RP = gradients.mean(0).square() - variance_RP / N_PROBES  # free of the noise's part
        pairs = list(by_layer(task.shape, variance_RP, square_RP))
        trace.noise[name] = np.stack([v.mean(1).sqrt().double().numpy() for v, _ in pairs], 1)
        trace.signal[name] = np.stack(
            [s.mean(1).clamp(min=0).sqrt().double().numpy() for _, s in pairs], 1
        )
