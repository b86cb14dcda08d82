"""Training against the clock: steps until the time is spent, validation outside it.

In: a way to build a learner, a budget in seconds. Out: validation losses by training seconds.
The clock runs from before the model is built, through its construction, the choice of windows and every step.
It stands still during validation only.
"""

import math
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Protocol

TARGET_NATS = 1.886
NEAR_NATS = 0.06  # above the target; from there on validations are NEAR_LOOK_S apart
NEAR_LOOK_S = 0.5  # training seconds between validations
FAR_LOOK_FRAC = 0.15  # of the training seconds so far


class Learner(Protocol):
    """Something that can be trained by the step and validated at any time."""

    def step(self, progress: float) -> None:
        """Do one optimizer step; `progress` is the part of the time budget spent, 0 to 1."""

    def validate(self) -> float:
        """Return the validation loss in nats per character."""


@dataclass(frozen=True, kw_only=True, slots=True)
class Curve:
    """One run: (training seconds, nats) of each validation, and what the time bought.

    `busy_frac` is CPU seconds over wall seconds times threads: well below 1 when other programs
    held the processor, and then the seconds say little about the recipe.
    """

    points: tuple[tuple[float, float], ...]
    n_steps: int
    busy_frac: float

    @property
    def seconds_to_target(self) -> float | None:
        """Training seconds at the first validation at or below the target; None if there is none."""
        return next((seconds for seconds, nats in self.points if nats <= TARGET_NATS), None)

    @property
    def final_nats(self) -> float:
        """The loss when the time was spent."""
        return self.points[-1][1]


class Stopwatch:
    """Seconds since it was made, pauses left out: of the wall, and of this process's CPU time."""

    def __init__(self) -> None:
        self._wall, self._cpu = time.perf_counter(), time.process_time()

    @property
    def wall_s(self) -> float:
        """Wall-clock seconds."""
        return time.perf_counter() - self._wall

    @property
    def cpu_s(self) -> float:
        """CPU seconds of all threads."""
        return time.process_time() - self._cpu

    @contextmanager
    def paused(self) -> Iterator[None]:
        """Leave out what happens inside."""
        wall_s, cpu_s = self.wall_s, self.cpu_s
        yield
        self._wall, self._cpu = time.perf_counter() - wall_s, time.process_time() - cpu_s


def run(
    build: Callable[[], Learner],
    *,
    name: str,
    budget_s: float,
    first_look_s: float,
    threads: int,
) -> Curve:
    """Train for the budget. Validate from `first_look_s` on until the target is met, and at the end."""
    watch = Stopwatch()
    learner = build()
    points: list[tuple[float, float]] = []
    n_steps, next_look_s, step_s = 0, first_look_s, 0.0
    while watch.wall_s + step_s <= budget_s:  # a step that would end too late is not begun
        before_s = watch.wall_s
        learner.step(before_s / budget_s)
        n_steps += 1
        step_s = watch.wall_s - before_s
        if watch.wall_s >= next_look_s:
            _look(name, learner, watch, n_steps, points)
            next_look_s = watch.wall_s + _pause_s(*points[-1])
    busy_frac = watch.cpu_s / (watch.wall_s * threads)
    _look(name, learner, watch, n_steps, points)
    return Curve(points=tuple(points), n_steps=n_steps, busy_frac=busy_frac)


def _pause_s(seconds: float, nats: float) -> float:
    """Return the training seconds to the next validation: often near the target, none past it."""
    if nats <= TARGET_NATS:
        return math.inf
    return NEAR_LOOK_S if nats <= TARGET_NATS + NEAR_NATS else seconds * FAR_LOOK_FRAC


def _look(
    name: str, learner: Learner, watch: Stopwatch, n_steps: int, points: list[tuple[float, float]]
) -> None:
    with watch.paused():
        nats = learner.validate()
    points.append((watch.wall_s, nats))
    print(f"{name:>14} {watch.wall_s:8.1f} s {n_steps:6d} steps {nats:9.4f} nats", file=sys.stderr)
