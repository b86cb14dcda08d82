"""The state machine of every watched tensor: OK -> WATCH -> ALARM -> RECOVERY -> OK.

In: the statistics of a step, as arrays over tensors. Out: each tensor's level and the mechanism that
explains it. What is normal is learned for each tensor: its update RMS and its share of kicked
coordinates, averaged over the memory of v while nothing is wrong.
An ALARM needs a jump of the update (it grew, and it is large) and a sign that the jump has no
descent in it: v was left behind, or the alignment is gone. Growth alone, or a histogram with two
humps, is also what a clear gradient looks like.
"""

from dataclasses import dataclass
from typing import Any

import numpy as np

from herd.stability.statistics import Array, StatisticsTable
from herd.stability.thresholds import Thresholds
from herd.stability.verdict import Level, Mechanism

LEVELS = (Level.OK, Level.WATCH, Level.ALARM, Level.RECOVERY)
OK, WATCH, ALARM, RECOVERY = range(4)
LONG_AGO = 1e9


@dataclass(frozen=True, eq=False, slots=True)
class Signals:
    """What was seen in one step, as booleans over tensors."""

    jump: np.ndarray
    behind: np.ndarray
    far_behind: np.ndarray
    lost: np.ndarray
    against: np.ndarray
    cold: np.ndarray
    recently_cold: np.ndarray
    nonfinite: np.ndarray


class TensorStates:
    """Levels, baselines and counters of all tensors; `thresholds` has one entry a tensor."""

    def __init__(self, thresholds: list[Thresholds]) -> None:
        n = len(thresholds)
        self._limit = {
            name: np.array([float(getattr(each, name)) for each in thresholds])
            for name in Thresholds.__slots__
        }
        self.level = np.full(n, OK)
        self.mechanism: list[Mechanism | None] = [None] * n
        self.rms_baseline = np.zeros(n)
        self.kicked_baseline = np.zeros(n)
        self.age = np.zeros(n)  # steps that the baseline has seen
        self.cold_steps = np.zeros(n)  # steps in a row with a cold share
        self.last_cold = np.full(n, LONG_AGO)  # steps since it was cold
        self.cold_peak = np.zeros(n)
        self.against_steps = np.zeros(n)
        self.calm_steps = np.zeros(n)

    def update(self, table: StatisticsTable, *, steps: int) -> None:
        """Take in a step; `steps` have passed since the last one taken in."""
        here = table.present
        seen = self._signals(table, steps)
        self._count(table, seen, steps, here)
        self._move(seen, here, steps)
        self._learn(table, seen, here, steps)

    @property
    def is_stirred(self) -> bool:
        """Whether more is going on than tensors that are cold."""
        pairs = zip(self.level, self.mechanism, strict=True)
        return any(level != OK and why is not Mechanism.COLD for level, why in pairs)

    def _signals(self, table: StatisticsTable, steps: int) -> Signals:
        limit, rms = self._limit, np.nan_to_num(table.update_rms)
        mature = self.age >= limit["mature_steps"]
        grown = rms > limit["growth"] * np.maximum(self.rms_baseline, 1e-12)
        kicked = table.kicked_share >= self.kicked_baseline + limit["kicked_share"]
        cold = table.present_cold_fraction >= limit["cold_share"]
        recently_cold = cold | (self.last_cold <= limit["baseline_steps"])
        behind = table.stable_adamw_rms >= limit["stable_watch"]
        # A cold tensor is on its way up before it is large; v left behind says that it goes on.
        rising = recently_cold & behind & (rms >= limit["healthy_rms"] / 2)
        return Signals(
            jump=mature & grown & ((rms >= limit["large_rms"]) | kicked | rising),
            behind=behind,
            far_behind=table.stable_adamw_rms >= limit["stable_alarm"],
            lost=table.alignment < limit["uncorrelated"],
            against=table.alignment < limit["against_descent"],
            cold=cold,
            recently_cold=recently_cold,
            nonfinite=table.nonfinite,
        )

    def _count(self, table: StatisticsTable, seen: Signals, steps: int, here: np.ndarray) -> None:
        fresh_cold = seen.cold & (self.cold_steps == 0) & ~seen.recently_cold
        self.cold_peak = np.where(fresh_cold, 0.0, self.cold_peak)
        self.cold_peak = np.where(
            seen.cold & here,
            np.maximum(self.cold_peak, table.present_cold_fraction),
            self.cold_peak,
        )
        self.last_cold = np.where(seen.cold & here, 0.0, self.last_cold + steps)
        still = seen.cold | (self.last_cold <= self._limit["baseline_steps"])
        self.cold_steps = np.where(seen.cold, self.cold_steps + steps, self.cold_steps * still)
        large = np.nan_to_num(table.update_rms) >= self._limit["large_rms"]
        self.against_steps = np.where(seen.against & large & here, self.against_steps + 1, 0)

    def _move(self, seen: Signals, here: np.ndarray, steps: int) -> None:
        awakening = seen.jump & seen.recently_cold & (seen.behind | seen.lost)
        left_behind = seen.jump & ~seen.recently_cold & seen.far_behind & seen.lost
        uncorrelated = seen.jump & (self.against_steps >= self._limit["against_steps"])
        alarm = here & (awakening | left_behind | uncorrelated | seen.nonfinite)
        cold_long = seen.cold & (self.cold_steps >= self._limit["baseline_steps"])
        notice = here & ~alarm & (seen.jump | cold_long)
        self._name_mechanisms(seen, alarm, notice, awakening, left_behind)
        was = self.level.copy()
        over = (was == ALARM) & ~alarm & (self.calm_steps + steps >= self._limit["against_steps"])
        well = (was == RECOVERY) & (self.calm_steps + steps >= self._limit["baseline_steps"])
        calm = here & ~alarm & ~(seen.jump & seen.lost)
        self.calm_steps = np.where(
            calm, self.calm_steps + steps, np.where(here, 0.0, self.calm_steps)
        )
        self.level[here & over & calm] = RECOVERY
        self.level[here & well & calm] = OK
        self.level[here & (was == WATCH) & ~notice] = OK
        self.level[notice & ((was == OK) | (was == WATCH))] = WATCH
        self.level[alarm] = ALARM
        entered = (self.level == RECOVERY) & (was == ALARM)
        self.age[entered] = 0  # what was normal before need not be so again
        self.calm_steps[entered | alarm] = 0

    def _name_mechanisms(
        self,
        seen: Signals,
        alarm: np.ndarray,
        notice: np.ndarray,
        awakening: np.ndarray,
        left_behind: np.ndarray,
    ) -> None:
        for i in np.flatnonzero(alarm | notice):
            if seen.nonfinite[i]:
                self.mechanism[i] = Mechanism.NOT_FINITE
            elif alarm[i] and self.level[i] == ALARM:
                continue  # the cause is what began it
            elif awakening[i]:
                self.mechanism[i] = Mechanism.AWAKENING
            elif left_behind[i]:
                self.mechanism[i] = Mechanism.LEFT_BEHIND
            elif alarm[i] or seen.jump[i]:
                self.mechanism[i] = Mechanism.UNCORRELATED if alarm[i] else Mechanism.GROWTH
            else:
                self.mechanism[i] = Mechanism.COLD

    def _learn(self, table: StatisticsTable, seen: Signals, here: np.ndarray, steps: int) -> None:
        """Move the baselines, except of tensors in ALARM or jumping; slowly once they are mature."""
        rms = table.update_rms
        learns = here & (self.level != ALARM) & ~seen.nonfinite & np.isfinite(rms)
        learns &= ~(seen.jump & seen.lost)
        self.age = np.where(learns, self.age + steps, self.age)
        weight = np.where(
            learns, steps / np.clip(self.age, steps, self._limit["baseline_steps"]), 0.0
        )
        self.rms_baseline += weight * (np.nan_to_num(rms) - self.rms_baseline)
        kicked: Array = np.nan_to_num(table.kicked_share)
        self.kicked_baseline += weight * (kicked - self.kicked_baseline)

    def state_dict(self) -> dict[str, Any]:
        """Return everything as lists, for a checkpoint."""
        arrays = {
            name: value.tolist() for name, value in vars(self).items() if name in STATE_ARRAYS
        }
        return {**arrays, "mechanism": [each and each.value for each in self.mechanism]}

    def load_state_dict(self, state: dict[str, Any]) -> None:
        """Put back what `state_dict` returned."""
        arrays = {name: np.array(state[name], dtype=float) for name in STATE_ARRAYS}
        mechanism = [Mechanism(each) if each else None for each in state["mechanism"]]
        n = len(self.mechanism)
        if any(array.shape != (n,) for array in arrays.values()) or len(mechanism) != n:
            raise ValueError(f"not one entry for each of {n} tensors")
        if not np.isin(arrays["level"], range(len(LEVELS))).all():
            raise ValueError("an unknown level")
        for name, array in arrays.items():
            getattr(self, name)[:] = array
        self.mechanism = mechanism


STATE_ARRAYS = (
    "level",
    "rms_baseline",
    "kicked_baseline",
    "age",
    "cold_steps",
    "last_cold",
    "cold_peak",
    "against_steps",
    "calm_steps",
)
