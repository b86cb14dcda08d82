"""How far a number is from its recent past, in standard deviations.

In: a loss or gradient norm, step by step. Out: z-scores against the mean and deviation of the last
128 values. A value that counts as a spike is kept out of the window, so that it does not hide the next.
Source: the rule of OLMo-core's and Levanter's skip-step: window 128, at least half of it filled, 6 sigma.
"""

import math
from collections import deque
from typing import Any

WINDOW_STEPS = 128
SPIKE_Z = 6.0
EVERY_OUTLIER = 10  # enters the window all the same, so that it follows a level that stays
SMALLEST_SPREAD = 1e-6  # of the mean: a constant series has no spikes of rounding


class RollingScore:
    """The recent past of one number."""

    def __init__(self, window_steps: int = WINDOW_STEPS, spike_z: float = SPIKE_Z) -> None:
        self._window_steps = window_steps
        self._spike_z = spike_z
        self._values: deque[float] = deque(maxlen=window_steps)
        self._n_outliers = 0

    def score(self, value: float | None) -> float | None:
        """Return the z-score of `value` and remember it; None while too little is known.

        A value that is not finite scores infinity.
        """
        if value is None:
            return None
        if not math.isfinite(value):
            return math.inf
        z = self._z(value)
        if z is not None and z >= self._spike_z:
            self._n_outliers += 1
        if z is None or z < self._spike_z or self._n_outliers % EVERY_OUTLIER == 0:
            self._values.append(value)
        return z

    def _z(self, value: float) -> float | None:
        n = len(self._values)
        if n < self._window_steps / 2:
            return None
        mean = sum(self._values) / n
        variance = sum((each - mean) ** 2 for each in self._values) / (n - 1)
        return (value - mean) / max(math.sqrt(variance), SMALLEST_SPREAD * abs(mean), 1e-30)

    def state_dict(self) -> dict[str, Any]:
        """Return the window, for a checkpoint."""
        return {"values": list(self._values), "outliers": self._n_outliers}

    def load_state_dict(self, state: dict[str, Any]) -> None:
        """Put back what `state_dict` returned."""
        self._values = deque(map(float, state["values"]), maxlen=self._window_steps)
        self._n_outliers = int(state["outliers"])
