"""Why a tensor or a run is not OK, in words a person understands.

In: the state machine, the statistics of the step. Out: one sentence a tensor.
"""

import numpy as np

from herd.stability.statistics import StatisticsTable
from herd.stability.tensor_states import LEVELS, OK, TensorStates
from herd.stability.verdict import Level, Mechanism

MEANING = {
    Mechanism.AWAKENING: "a cold layer awakens",
    Mechanism.LEFT_BEHIND: "the gradient outran its second moment",
    Mechanism.UNCORRELATED: "the update is large and no longer goes downhill",
    Mechanism.GROWTH: "larger than this tensor is used to",
    Mechanism.NOT_FINITE: "its gradient or a moment is not finite",
}


def reason_of(row: int, name: str, states: TensorStates, table: StatisticsTable) -> str:
    """Return the sentence for one tensor that is not OK."""
    level, mechanism = LEVELS[states.level[row]], states.mechanism[row]
    if level is Level.RECOVERY:
        return f"{name}: calm again after an alarm"
    if mechanism is Mechanism.NOT_FINITE:
        return f"{name}: {MEANING[mechanism]}"
    cold = _cold(row, states)
    if mechanism is Mechanism.COLD or mechanism is None:
        return f"{name}: {cold}: it barely learns, and may awaken with a jump"
    return f"{name}: {_jump(row, states, table, cold)}: {MEANING[mechanism]}"


def _cold(row: int, states: TensorStates) -> str:
    return (
        f"{states.cold_peak[row]:.0%} of coordinates with a gradient cold (sqrt(v) below epsilon) "
        f"for {states.cold_steps[row]:.0f} steps"
    )


def _jump(row: int, states: TensorStates, table: StatisticsTable, cold: str) -> str:
    rms, baseline = table.update_rms[row], states.rms_baseline[row]
    growth = f" x{rms / baseline:.3g}" if baseline > 0 else ""
    parts = [
        f"update RMS{growth} to {rms:.2g}",
        f"gradient at {table.stable_adamw_rms[row]:.2g} times its usual size",
        f"alignment {table.alignment[row]:+.2f}",
    ]
    was_cold = states.last_cold[row] < states.cold_steps[row] or states.last_cold[row] == 0
    lead = f"{cold}, then " if was_cold and states.cold_peak[row] > 0 else ""
    return lead + ", ".join(parts)


def rows_of_concern(states: TensorStates) -> list[int]:
    """Return the tensors that are not OK, alarms first, each kind in the model's order."""
    concern = np.array([LEVELS[level].concern for level in states.level])
    order = np.argsort(-concern, kind="stable")
    return [int(row) for row in order if states.level[row] != OK]
