"""The log of a watched run as arrays: whole or still growing, with lines that cannot be read counted.

In: `stability.jsonl` as `watch_log` writes it, and the losses of `metrics.jsonl`. Out: `RunReading`, a value: arrays over watched steps and layers, changes of
level, interventions, and the places of histograms, which stay on disk until they are wanted.
Never: trust in a line: the log may be torn, mixed with something else, or of another hand.
"""

import json
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from herd.foundation import UserError
from herd.stability.log_line import (
    SHOWN,
    UNREADABLE,
    Change,
    Floats,
    Intervention,
    WatchedStep,
    constants_of,
    count_of,
    header_of_record,
    intervention_of_record,
    number_of,
    parse,
    shares_of,
    step_of_record,
)
from herd.stability.watch_log import LOG_NAME

DONE = "summary.json"  # written last of all


@dataclass(frozen=True, kw_only=True, slots=True, eq=False)
class RunReading:
    """What a log holds: N watched steps in order, each once, and L layers in the model's order.

    `level_N` and `level_NL` are places in `LEVELS`. NaN where a number is not known.
    """

    run: Path
    layers: tuple[str, ...]
    constants: Mapping[str, float]  # beta1, beta2, epsilon, as far as they can be read
    step_N: NDArray[np.int64]
    level_N: NDArray[np.uint8]
    level_NL: NDArray[np.uint8]
    columns_NL: Mapping[str, Floats]
    loss_N: NDArray[np.float64]
    loss_z_N: NDArray[np.float64]
    changes: tuple[Change, ...]
    interventions: tuple[Intervention, ...]
    histogram_places: Mapping[int, int]  # step -> where its line begins in the file
    n_bad_lines: int
    is_done: bool

    @property
    def n_steps(self) -> int:
        """How many steps were watched."""
        return len(self.step_N)


@dataclass(slots=True)
class _Lines:
    """What was read so far, a list entry a watched line."""

    steps: list[int] = field(default_factory=list)
    levels: list[int] = field(default_factory=list)
    letters: list[NDArray[np.uint8]] = field(default_factory=list)
    columns: dict[str, list[Floats]] = field(default_factory=lambda: {name: [] for name in SHOWN})
    losses: list[tuple[float, float]] = field(default_factory=list)
    changes: dict[int, Change] = field(default_factory=dict)
    interventions: list[Intervention] = field(default_factory=list)
    histogram_places: dict[int, int] = field(default_factory=dict)
    n_bad: int = 0


class _Reader:
    """Takes the lines of one log, one after the other."""

    def __init__(self, run: Path) -> None:
        self._run, self._path = run, run / LOG_NAME
        self._header: dict[str, Any] | None = None
        self._lines = _Lines()
        self._offset = 0

    def read(self) -> RunReading:
        """Read the whole log; a torn last line is one that is still being written."""
        if not self._run.is_dir():
            raise UserError(f"{self._run}: no such directory; give the directory of a run")
        if not self._path.is_file():
            raise UserError(
                f"{self._run}: there is no {LOG_NAME}; `herd pretrain` writes one, WatchLog does too"
            )
        with self._path.open("rb") as file, np.errstate(over="ignore"):
            for line in file:
                if line.endswith(b"\n") or _is_whole(line):
                    self._take(line)
                self._offset += len(line)
        self._check()
        return self._reading()

    def _reading(self) -> RunReading:
        lines, header = self._lines, self._header or {}
        steps = np.array(lines.steps, dtype=np.int64)
        # A run that was resumed from an older checkpoint writes steps again: the last time counts.
        _, from_the_end = np.unique(steps[::-1], return_index=True)
        kept = len(steps) - 1 - from_the_end
        losses = np.array(lines.losses, dtype=np.float64)[kept]
        return RunReading(
            run=self._run,
            layers=tuple(header["layers"]),
            constants=constants_of(header),
            step_N=steps[kept],
            level_N=np.array(lines.levels, dtype=np.uint8)[kept],
            level_NL=np.stack(lines.letters)[kept],
            columns_NL={name: np.stack(lines.columns[name])[kept] for name in SHOWN},
            loss_N=losses[:, 0],
            loss_z_N=losses[:, 1],
            changes=tuple(lines.changes[step] for step in sorted(lines.changes)),
            interventions=tuple(sorted(lines.interventions, key=lambda each: each.step)),
            histogram_places=dict(lines.histogram_places),
            n_bad_lines=lines.n_bad,
            is_done=(self._run / DONE).exists(),
        )

    def _check(self) -> None:
        if self._header is None:
            bad = f"none of its {self._lines.n_bad} lines names the layers"
            wrong = bad if self._lines.n_bad else "it is empty; nothing has been watched yet"
            raise UserError(f"{self._path}: {wrong}")
        if not self._lines.steps:
            raise UserError(
                f"{self._path}: no watched step can be read ({self._lines.n_bad} bad lines)"
            )

    def _take(self, line: bytes) -> None:
        if not line.strip():
            return
        try:
            record = parse(line)
            if self._header is None:
                self._header = header_of_record(record)
            elif "intervention" in record:
                self._lines.interventions.append(intervention_of_record(record))
            elif "layers" not in record:
                self._keep(step_of_record(record, len(self._header["layers"])))
        except UNREADABLE:
            self._lines.n_bad += 1

    def _keep(self, watched: WatchedStep) -> None:
        lines, step = self._lines, watched.step
        lines.steps.append(step)
        lines.levels.append(watched.level)
        lines.letters.append(watched.level_L)
        lines.losses.append((watched.loss_nats, watched.loss_z))
        for name, row in watched.columns_L.items():
            lines.columns[name].append(row)
        lines.changes.pop(step, None)
        if watched.change is not None:
            lines.changes[step] = watched.change
        lines.histogram_places.pop(step, None)
        if watched.has_histograms:
            lines.histogram_places[step] = self._offset


def read_run(run: Path | str) -> RunReading:
    """Return the whole log of a run. Raises UserError when there is none, or nothing in it."""
    return _Reader(Path(run)).read()


def read_histograms(reading: RunReading, step: int) -> dict[str, list[NDArray[np.float64]]]:
    """Return for each layer the shares of coordinates in 64 bins: all of them, and the active.

    Empty where the line cannot be read.
    """
    try:
        with (reading.run / LOG_NAME).open("rb") as file:
            file.seek(reading.histogram_places[step])
            record = json.loads(file.readline())
        if record["step"] != step:
            return {}
        found = record["histograms"].items()
        return {
            layer: [shares_of(both[kind]) for kind in ("all", "active")] for layer, both in found
        }
    except (*UNREADABLE, OSError):
        return {}


def read_losses(path: Path) -> tuple[NDArray[np.int64], NDArray[np.float64]]:
    """Return the steps and losses of a metrics log, sorted by step; empty if there is none."""
    losses: dict[int, float] = {}
    if path.is_file():
        with path.open("rb") as file:
            for line in file:
                try:
                    record = json.loads(line)
                    if record["loss_nats"] is not None:
                        losses[count_of(record)] = number_of(record["loss_nats"])
                except UNREADABLE:
                    continue
    steps = sorted(losses)
    return np.array(steps, dtype=np.int64), np.array([losses[step] for step in steps])


def _is_whole(line: bytes) -> bool:
    try:
        return isinstance(json.loads(line), dict)
    except UNREADABLE:
        return False
