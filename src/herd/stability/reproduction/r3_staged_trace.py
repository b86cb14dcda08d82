"""What R3 records of a run: losses with their frozen counterpart, and every layer's update.

In: a step's losses, gradient, update and cold coordinates, for all seeds. Out: `StagedTrace`.
"""

from collections.abc import Iterator
from dataclasses import dataclass, field

import numpy as np
import torch
from torch import Tensor

from herd.stability.reproduction.r3_staged_task import StagedArm, StagedTask
from herd.stability.reproduction.r3_transformer import DecoderShape, decoder_loss, named_weights

Array = np.ndarray[tuple[int, ...], np.dtype[np.float64]]
N_BINS, HISTOGRAM_EDGE = 64, 1.3


@dataclass(frozen=True, kw_only=True, slots=True)
class StagedTrace:
    """What happened. Arrays are `[seed, step]`, per layer `[seed, step, layer]`.

    `frozen_loss_nats` is NaN before the switch. `histograms[k]` holds counts `[layer, bin]` over
    all seeds of the update k steps after the switch. `noise` and `signal` are RMS of the batch noise
    and of the mean of gradients, `[seed, layer]`, at the end of cooling ("old") and on the first
    data after it ("new").
    """

    task: StagedTask
    arm: StagedArm
    seeds: tuple[int, ...]
    loss_nats: Array
    old_loss_nats: Array
    frozen_loss_nats: Array
    gradient_norm: Array
    update_rms: Array
    alignment: Array
    cold_fraction: Array
    gradient_rms: Array
    histograms: dict[int, Array] = field(default_factory=dict)
    noise: dict[str, Array] = field(default_factory=dict)
    signal: dict[str, Array] = field(default_factory=dict)

    @property
    def switch(self) -> int:
        """Return the first step of stage B."""
        return self.task.n_cold_steps


def empty_trace(task: StagedTask, arm: StagedArm, seeds: tuple[int, ...]) -> StagedTrace:
    """Return a trace of NaN in the right shapes."""
    runs = (len(seeds), task.n_cold_steps + task.n_awake_steps)
    layers = (*runs, len(task.shape.layers))
    return StagedTrace(
        task=task,
        arm=arm,
        seeds=seeds,
        loss_nats=np.full(runs, np.nan),
        old_loss_nats=np.full(runs, np.nan),
        frozen_loss_nats=np.full(runs, np.nan),
        gradient_norm=np.full(runs, np.nan),
        update_rms=np.full(layers, np.nan),
        alignment=np.full(layers, np.nan),
        cold_fraction=np.full(layers, np.nan),
        gradient_rms=np.full(layers, np.nan),
    )


def record_losses(
    trace: StagedTrace,
    step: int,
    loss_R: Tensor,
    weights_RP: Tensor,
    frozen_RP: Tensor | None,
    batch_RBS: Tensor,
) -> None:
    """Record the loss and, from the switch on, what the old language and the frozen weights lose."""
    shape = trace.task.shape
    trace.loss_nats[:, step] = loss_R.numpy()
    if frozen_RP is None:
        trace.old_loss_nats[:, step] = loss_R.numpy()
        return
    old_RBS = batch_RBS[:, : trace.task.batch_size - trace.task.n_new]
    with torch.no_grad():
        trace.frozen_loss_nats[:, step] = decoder_loss(
            shape, named_weights(shape, frozen_RP), batch_RBS
        ).numpy()
        trace.old_loss_nats[:, step] = decoder_loss(
            shape, named_weights(shape, weights_RP), old_RBS
        ).numpy()


def record_layers(
    trace: StagedTrace, step: int, g_RP: Tensor, u_RP: Tensor, before_RP: Tensor, cold_RP: Tensor
) -> None:
    """Record each layer\'s statistics of one step; `before_RP` is the update before this one."""
    trace.gradient_norm[:, step] = g_RP.norm(dim=1).numpy()
    for i, (g, u, before, cold) in enumerate(
        by_layer(trace.task.shape, g_RP, u_RP, before_RP, cold_RP)
    ):
        g_norm, before_norm = g.norm(dim=1), before.norm(dim=1)
        cosine = (g * before).sum(1) / (g_norm * before_norm).clamp(min=1e-30)
        root_n = g.shape[1] ** 0.5
        trace.update_rms[:, step, i] = (u.norm(dim=1) / root_n).numpy()
        trace.gradient_rms[:, step, i] = (g_norm / root_n).numpy()
        trace.alignment[:, step, i] = cosine.numpy()
        trace.cold_fraction[:, step, i] = cold.double().mean(1).numpy()


def by_layer(shape: DecoderShape, *rows_RP: Tensor) -> Iterator[tuple[Tensor, ...]]:
    """Yield the columns of each layer, of all given rows."""
    for columns in shape.layers.values():
        yield tuple(rows[:, columns] for rows in rows_RP)


def update_histograms(shape: DecoderShape, u_RP: Tensor) -> Array:
    """Return counts `[layer, bin]` of the update over all seeds; the ends take the rest."""
    clamped = u_RP.clamp(-HISTOGRAM_EDGE, HISTOGRAM_EDGE)
    counts = [
        torch.histc(u, N_BINS, -HISTOGRAM_EDGE, HISTOGRAM_EDGE) for (u,) in by_layer(shape, clamped)
    ]
    result: Array = torch.stack(counts).double().numpy()
    return result
