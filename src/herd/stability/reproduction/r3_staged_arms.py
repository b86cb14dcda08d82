"""R3's arms at one size: epsilon from nothing to 100 times the gradient, two beta2, two controls.

In: a foundation. Out: arms whose epsilon is a multiple of the embedding's first gradient RMS, their
traces, and a table of what each did.
A loss scale k is the same as epsilon/k, so epsilon in multiples of the gradient stands for gradients
that vanish with scale.
"""

from dataclasses import replace

import numpy as np

from herd.stability.reproduction.intervals import mean_interval, share_interval
from herd.stability.reproduction.r3_spike_labels import (
    SPIKE_Z,
    excess_scores,
    first_spike_step,
    largest_excess,
    rolling_scores,
)
from herd.stability.reproduction.r3_staged_task import StagedArm
from herd.stability.reproduction.r3_staged_trace import StagedTrace
from herd.stability.reproduction.r3_staged_training import Foundation, train_arm
from herd.stability.reproduction.result import Cell, Report, Table, silent

EPSILON_MULTIPLES = (0.0, 0.01, 1.0, 100.0)
BETA2S = (0.95, 0.999)
THEORY_MULTIPLE = 0.01  # small beside early gradients, large beside late ones
HISTOGRAM_STEPS = (-1, 0, 1, 4, 15)
LAST_STEPS = 5


def arm_name(beta2: float, multiple: float, control: str = "") -> str:
    """Return how tables and figures call an arm."""
    return f"beta2 {beta2:g}, eps {multiple:g} g" + (f", {control}" if control else "")


def staged_arms(foundation: Foundation, learning_rate: float = 1e-2) -> list[StagedArm]:
    """Return the arms: every epsilon with every beta2, then the controls of the theory's setting."""
    gradient = foundation.embedding_gradient_rms
    arms = [
        StagedArm(
            name=arm_name(beta2, multiple),
            beta2=beta2,
            epsilon=multiple * gradient,
            learning_rate=learning_rate,
        )
        for beta2 in BETA2S
        for multiple in EPSILON_MULTIPLES
    ]
    for beta2 in BETA2S:
        (theory,) = (a for a in arms if a.name == arm_name(beta2, THEORY_MULTIPLE))
        arms.append(
            replace(theory, name=arm_name(beta2, THEORY_MULTIPLE, "no switch"), switches=False)
        )
        arms.append(
            replace(theory, name=arm_name(beta2, THEORY_MULTIPLE, "v refreshed"), refresh_v=True)
        )
        arms.append(
            replace(
                theory,
                name=arm_name(beta2, THEORY_MULTIPLE, "rate / 2"),
                learning_rate=learning_rate / 2,
            )
        )
    return arms


def run_arms(foundation: Foundation, progress: Report = silent) -> dict[str, StagedTrace]:
    """Train every arm from the same foundation; return arm's name -> trace."""
    traces = {}
    for arm in staged_arms(foundation):
        progress(f"R3 arms: {arm.name}")
        traces[arm.name] = train_arm(foundation, arm, histogram_steps=HISTOGRAM_STEPS)
    return traces


def spikes(trace: StagedTrace) -> np.ndarray:
    """Return whether each seed's run spiked, `[seed]`, against its own batch noise."""
    return np.array(
        [
            first_spike_step(loss, frozen) is not None
            for loss, frozen in zip(trace.loss_nats, trace.frozen_loss_nats, strict=True)
        ]
    )


def lead_steps(trace: StagedTrace, threshold: float) -> list[int]:
    """Return for each spike how many steps earlier the embedding's update RMS passed a threshold.

    Counted from the switch on; a run whose RMS never passed it gives none.
    """
    leads = []
    for loss, frozen, rms in zip(
        trace.loss_nats, trace.frozen_loss_nats, trace.update_rms[:, :, 0], strict=True
    ):
        spike = first_spike_step(loss, frozen)
        large = np.flatnonzero(rms[trace.switch :] > threshold)
        if spike is not None and large.size:
            leads.append(spike - trace.switch - int(large[0]))
    return leads


def plain_rule_share(trace: StagedTrace, *, of_frozen: bool) -> float:
    """Return the share of seeds in which the plain rule fires at the switch.

    `of_frozen` takes the loss of weights that never move after it.
    """
    after = trace.frozen_loss_nats if of_frozen else trace.loss_nats
    fired = []
    for loss, later in zip(trace.loss_nats, after, strict=True):
        series = np.concatenate([loss[: trace.switch], later[trace.switch :]])
        fired.append(rolling_scores(series)[trace.switch] > SPIKE_Z)
    return float(np.mean(fired))


def arms_table(traces: dict[str, StagedTrace]) -> Table:
    """Return what each arm did: cold, kick, alignment, excess, spikes, and the loss in the end."""
    return Table(
        name="arms",
        caption=(
            "Arms from one foundation. g is the embedding's first gradient RMS; embedding / first "
            "block / last block where three numbers stand; excess over the weights frozen at the "
            "switch; spike: an excess above 6 sigma of the batch noise"
        ),
        columns=(
            "arm", "cold fraction", "update RMS before", "update RMS at switch",
            "alignment a step later", "largest excess [nats]", "largest z", "spike share",
            "last loss [nats]",
        ),
        rows=tuple(_row(name, trace) for name, trace in traces.items()),
    )  # fmt: skip


def _row(name: str, trace: StagedTrace) -> tuple[Cell, ...]:
    switch = trace.switch
    scores = excess_scores(trace.loss_nats, trace.frozen_loss_nats)
    spiked = spikes(trace)
    return (
        name,
        _three(trace.cold_fraction[:, switch]),
        _three(trace.update_rms[:, switch - 1], 3),
        _three(trace.update_rms[:, switch], 3),
        _three(trace.alignment[:, switch + 1]),
        mean_interval(largest_excess(trace.loss_nats, trace.frozen_loss_nats)),
        mean_interval(np.maximum(0.0, np.nanmax(scores, axis=1))),
        share_interval(int(spiked.sum()), spiked.size),
        mean_interval(trace.loss_nats[:, -LAST_STEPS:].mean(1)),
    )


def _three(values_RL: np.ndarray, digits: int = 2) -> str:
    means = values_RL.mean(0)
    return " / ".join(f"{means[i]:.{digits}f}" for i in (0, 1, -2))
