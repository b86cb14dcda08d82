"""R3 as labelled runs for judging detectors: one seed, torch's AdamW, the watch at every step.

In: seeds. Out: `LabelledRun`s: awakenings whose first step is the switch, and quiet runs that never
switch. The spike's step is the first whose excess over the frozen weights passes 6 sigma: the rise
of the loss that the new data bring by themselves is not called a spike.
"""

from collections.abc import Iterator
from dataclasses import replace

import numpy as np
import torch
from torch import Tensor, nn

from herd.stability.reproduction.detector_runs import LabelledRun, watched_steps
from herd.stability.reproduction.r3_spike_labels import first_spike_step
from herd.stability.reproduction.r3_staged_task import StagedArm, StagedTask
from herd.stability.reproduction.r3_staged_training import BETA1, Foundation, draw, lay_foundation
from herd.stability.reproduction.r3_transformer import DecoderShape, decoder_loss, named_weights

FIRST_JUDGED = 100  # every detector's window has filled by then
RUN_TASK = StagedTask(
    shape=DecoderShape(n_layers=6), batch_size=8, n_cold_steps=160, n_awake_steps=60
)
AWAKENING = StagedArm(name="R3 awakening", beta2=0.999)
QUIET = (
    StagedArm(name="R3 quiet, cold", beta2=0.999, switches=False),
    StagedArm(name="R3 quiet, learning", epsilon=1e-8, learning_rate=1e-3, switches=False),
)


class StagedDecoder(nn.Module):
    """The decoder of one seed as a module, its tensors named as in `DecoderShape.tensors`."""

    def __init__(self, shape: DecoderShape, weights_P: Tensor) -> None:
        super().__init__()
        self.shape = shape
        for name, weight in named_weights(shape, weights_P[None]).items():
            *path, last = name.split(".")
            room: nn.Module = self
            for part in path:
                if part not in room._modules:
                    room.add_module(part, nn.Module())
                room = room.get_submodule(part)
            room.register_parameter(last, nn.Parameter(weight[0].clone()))

    def loss(self, sequence_BS: Tensor) -> Tensor:
        """Return the mean cross-entropy in nats."""
        weights = {name: parameter[None] for name, parameter in self.named_parameters()}
        return decoder_loss(self.shape, weights, sequence_BS[None])[0]


def labelled_runs(
    seed: int, *, task: StagedTask = RUN_TASK, n_quiet_steps: int = 400
) -> Iterator[LabelledRun]:
    """Yield one awakening and two quiet runs of this seed: a cold one, and one that still learns."""
    foundation = lay_foundation(task, [seed])
    yield run_labelled(foundation, AWAKENING)
    long = replace(task, n_cold_steps=n_quiet_steps)
    yield run_labelled(replace(foundation, task=long), QUIET[0])
    young = replace(long, n_foundation_steps=1, jump=0.05)
    yield run_labelled(lay_foundation(young, [seed]), QUIET[1])


def run_labelled(foundation: Foundation, arm: StagedArm) -> LabelledRun:
    """Train one seed's arm under the watch and label it."""
    task = foundation.task
    model = StagedDecoder(task.shape, foundation.weights_RP[0])
    optimizer = torch.optim.AdamW(
        model.parameters(),
        lr=arm.learning_rate,
        betas=(BETA1, arm.beta2),
        eps=arm.epsilon,
        weight_decay=0.0,
    )
    generators = foundation.generators()[:1]
    n_steps = task.n_cold_steps + (task.n_awake_steps if arm.switches else 0)
    frozen_nats = np.full(n_steps, np.nan)
    frozen: list[StagedDecoder] = []

    def loss_at(step: int) -> Tensor:
        for group in optimizer.param_groups:
            group["lr"] = arm.learning_rate * min(1.0, (step + 1) / task.n_warmup_steps)
        awake = arm.switches and step >= task.n_cold_steps
        batch_BS = draw(task, generators, new=awake)[0]
        if awake:
            if not frozen:
                frozen.append(_copy(model))
            with torch.no_grad():
                frozen_nats[step] = float(frozen[0].loss(batch_BS))
        return model.loss(batch_BS)

    steps = watched_steps(model, optimizer, loss_at, n_steps)
    losses = np.array([each.loss_nats for each in steps])
    return LabelledRun(
        name=arm.name,
        seed=foundation.seeds[0],
        steps=steps,
        awakening=task.n_cold_steps if arm.switches else None,
        spike=first_spike_step(losses, frozen_nats) if arm.switches else None,
        first_judged=FIRST_JUDGED,
    )


def _copy(model: StagedDecoder) -> StagedDecoder:
    flat_P = torch.cat([parameter.detach().flatten() for parameter in model.parameters()])
    return StagedDecoder(model.shape, flat_P)
