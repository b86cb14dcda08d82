"""R3's sweep: is the awakening likelier, and worse, in deeper decoders and with larger batches?

In: depths, batch sizes, arms, seeds. Out: for each cell and arm the spikes, the largest excess loss,
and every link of the mechanism: gradient RMS against epsilon, batch noise, signal to noise, kick,
alignment after the kick.
Epsilon, learning rate and numbers of steps are the same in every cell: what changes is what the
claim is about. The bar for a spike is 6 sigma of the noisiest cell's batches, so that small batches
are not held to a lower one, nor large batches to a higher one.
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace

import numpy as np

from herd.stability.reproduction.intervals import (
    Estimate,
    line_fit,
    mean_interval,
    share_interval,
)
from herd.stability.reproduction.r3_spike_labels import (
    SPIKE_Z,
    Array,
    batch_noise,
    excess_scores,
    largest_excess,
)
from herd.stability.reproduction.r3_staged_task import StagedArm, StagedTask
from herd.stability.reproduction.r3_staged_trace import StagedTrace
from herd.stability.reproduction.r3_staged_training import lay_foundation, train_arm
from herd.stability.reproduction.r3_transformer import DecoderShape
from herd.stability.reproduction.result import Report, Table, silent

DEPTHS, BATCH_SIZES = (2, 6, 12), (8, 24, 72)
FIRST_LAYERS = 2  # the embedding and the first block: the claim's "early layers"
SWEEP_ARMS = (
    StagedArm(name="beta2 0.95", beta2=0.95),
    StagedArm(name="beta2 0.999", beta2=0.999),
)


@dataclass(frozen=True, kw_only=True, slots=True)
class SweepCell:
    """One depth, batch size and arm: numbers a seed, `[seed]`; early layers only where it says so."""

    depth: int
    batch_size: int
    arm: str
    sigma_nats: Array
    excess_nats: Array
    own_z: Array
    cold_fraction: Array  # early layers, last cold step
    old_gradient_rms: Array  # early layers, last cold step
    new_gradient_rms: Array  # early layers, first new batch
    old_noise: Array
    old_snr: Array
    new_noise: Array
    new_snr: Array
    kick: Array  # update RMS of the early layers at the switch
    alignment: Array  # of the early layers, the lower of the two, a step later


def run_sweep(
    seeds: Sequence[int],
    *,
    task: StagedTask = StagedTask(),
    depths: Sequence[int] = DEPTHS,
    batch_sizes: Sequence[int] = BATCH_SIZES,
    arms: Sequence[StagedArm] = SWEEP_ARMS,
    progress: Report = silent,
) -> list[SweepCell]:
    """Train every cell; the arms of a cell share their foundation, hence seeds and data."""
    cells = []
    for depth in depths:
        for batch_size in batch_sizes:
            progress(f"R3 sweep: {depth} layers, batch {batch_size}")
            here = _resized(task, depth, batch_size)
            foundation = lay_foundation(here, seeds)
            cells += [cell_of(train_arm(foundation, arm, probe=True)) for arm in arms]
    return cells


def _resized(task: StagedTask, depth: int, batch_size: int) -> StagedTask:
    shape: DecoderShape = replace(task.shape, n_layers=depth)
    return replace(task, shape=shape, batch_size=batch_size)


def cell_of(trace: StagedTrace) -> SweepCell:
    """Return the numbers of one trained cell; it must have been probed."""
    switch, early = trace.switch, slice(0, FIRST_LAYERS)
    scores = excess_scores(trace.loss_nats, trace.frozen_loss_nats)
    noise = {name: root_mean_square(trace.noise[name][:, early]) for name in trace.noise}
    signal = {name: root_mean_square(trace.signal[name][:, early]) for name in trace.signal}
    return SweepCell(
        depth=trace.task.shape.n_layers,
        batch_size=trace.task.batch_size,
        arm=trace.arm.name,
        sigma_nats=batch_noise(trace.frozen_loss_nats),
        excess_nats=largest_excess(trace.loss_nats, trace.frozen_loss_nats),
        own_z=np.maximum(0.0, np.nanmax(scores, axis=1)),
        cold_fraction=trace.cold_fraction[:, switch - 1, early].min(1),
        old_gradient_rms=root_mean_square(trace.gradient_rms[:, switch - 1, early]),
        new_gradient_rms=root_mean_square(trace.gradient_rms[:, switch, early]),
        old_noise=noise["old"],
        old_snr=signal["old"] / np.maximum(noise["old"], 1e-30),
        new_noise=noise["new"],
        new_snr=signal["new"] / np.maximum(noise["new"], 1e-30),
        kick=root_mean_square(trace.update_rms[:, switch, early]),
        alignment=trace.alignment[:, switch + 1, early].min(1),
    )


def root_mean_square(rms: Array) -> Array:
    """Return the RMS over the last axis."""
    result: Array = np.sqrt((rms * rms).mean(-1))
    return result


def common_bar(cells: Sequence[SweepCell]) -> float:
    """Return the excess, in nats, that is a spike in every cell: 6 sigma of the noisiest."""
    return SPIKE_Z * max(float(cell.sigma_nats.mean()) for cell in cells)


def spike_share(cells: Sequence[SweepCell], bar_nats: float) -> Estimate:
    """Return the share of runs with an excess above the bar, over all seeds of the cells."""
    spikes = np.concatenate([cell.excess_nats > bar_nats for cell in cells])
    return share_interval(int(spikes.sum()), int(spikes.size))


def growth_per_doubling(
    cells: Sequence[SweepCell],
    size_of: Callable[[SweepCell], int],
    value_of: Callable[[SweepCell], Array],
) -> Estimate:
    """Return the slope of a value on log2 of a size, over all seeds and cells."""
    sizes = np.concatenate([np.full(value_of(c).size, np.log2(size_of(c))) for c in cells])
    values = np.concatenate([value_of(c) for c in cells])
    return line_fit(sizes, values)[1]


def spike_table(cells: Sequence[SweepCell]) -> Table:
    """Return spikes and excess losses of every cell."""
    bar = common_bar(cells)
    rows = tuple(
        (
            cell.arm,
            cell.depth,
            cell.batch_size,
            spike_share([cell], bar),
            share_interval(int((cell.own_z > SPIKE_Z).sum()), cell.own_z.size),
            mean_interval(cell.excess_nats),
            mean_interval(cell.sigma_nats),
        )
        for cell in cells
    )
    return Table(
        name="sweep",
        caption=(
            f"Depth and batch size. Spike: an excess over the frozen weights above {bar:.2f} nats, "
            "6 sigma of the noisiest cell; own bar: above 6 sigma of the same cell"
        ),
        columns=(
            "arm", "layers", "batch", "spike share", "spike share, own bar",
            "largest excess [nats]", "batch noise [nats]",
        ),
        rows=rows,
    )  # fmt: skip


def mechanism_table(cells: Sequence[SweepCell], epsilon: float) -> Table:
    """Return the links of the mechanism in the early layers, of every cell."""
    rows = tuple(
        (
            cell.arm,
            cell.depth,
            cell.batch_size,
            mean_interval(cell.old_gradient_rms / epsilon),
            mean_interval(cell.old_noise / epsilon),
            mean_interval(cell.cold_fraction),
            mean_interval(cell.new_gradient_rms / epsilon),
            mean_interval(cell.new_snr),
            mean_interval(cell.kick),
            mean_interval(cell.alignment),
        )
        for cell in cells
    )
    return Table(
        name="mechanism",
        caption=(
            "The links, embedding and first block: gradient and its batch noise over epsilon "
            "before the switch, cold fraction, gradient over epsilon and its signal to noise with "
            "the new data, update RMS at the switch, alignment a step later"
        ),
        columns=(
            "arm", "layers", "batch", "old gradient / eps", "old noise / eps", "cold fraction",
            "new gradient / eps", "new SNR", "kick RMS", "alignment after",
        ),
        rows=rows,
    )  # fmt: skip
