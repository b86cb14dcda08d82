"""The watch: sees Adam's state go wrong before the loss does, in anybody's PyTorch loop.

In: an optimizer of Adam's family and its model; after each `optimizer.step()`, what the caller knows
of the step. Out: a verdict for the run, levels for layers, statistics for layers and tensors.
Never: a change of any number of the training, a wait for the GPU, an end of a training. On a GPU a
verdict is about the step before, whose numbers have arrived by then.
"""

import math
from collections.abc import Sequence
from dataclasses import dataclass, replace
from functools import cached_property
from typing import Any

import numpy as np
import torch
from torch import Tensor, nn

from herd.foundation import UserError
from herd.stability.adam_tensors import NamedParameters, adam_tensors
from herd.stability.early_closure import run_closures_early
from herd.stability.rank_layout import add_over_ranks, lay_out, spread
from herd.stability.readback import Readback
from herd.stability.reasons import reason_of, rows_of_concern
from herd.stability.run_signals import RunScores, RunSignals
from herd.stability.statistics import StatisticsTable, StepTable, UpdateStatistics
from herd.stability.step_numbers import (
    Given,
    StepNumbers,
    are_on_host,
    as_number,
    pack_numbers,
    read_numbers,
    unpack_numbers,
)
from herd.stability.tensor_states import LEVELS, TensorStates
from herd.stability.thresholds import Thresholds
from herd.stability.update_capture import UpdateCapture
from herd.stability.verdict import Level, Mechanism, WatchVerdict
from herd.stability.watch_config import WatchConfig

MISSED_STEPS = 10  # in a row; fewer may be a scaler that looks for its scale
MAX_REASONS = 8  # of tensors, in a verdict; the levels say the rest


@dataclass(frozen=True, eq=False, slots=True)
class Judged:
    """A watched step, for logs: `is_change` where a level is not what it was at the one before."""

    step: int
    table: StepTable
    statistics: StatisticsTable
    signals: RunSignals
    numbers: StepNumbers
    levels: dict[str, Level]
    level: Level
    is_change: bool
    n_watched: int


class AdamWatch:
    """Watches one model under one or several Adam or AdamW optimizers.

    `model` is a module, a list of them (model parts, pipeline stages), or (name, parameter) pairs.
    With several ranks each makes its own watch, all at the same time. Raises UserError when an
    optimizer is not of Adam's family or steps other parameters than the model's.
    """

    def __init__(
        self,
        optimizer: torch.optim.Optimizer | Sequence[torch.optim.Optimizer],
        model: nn.Module | Sequence[nn.Module] | NamedParameters,
        *,
        config: WatchConfig | None = None,
    ) -> None:
        self.config = config or WatchConfig()
        optimizers = list(optimizer) if isinstance(optimizer, Sequence) else [optimizer]
        tensors = adam_tensors(optimizers, model)
        self._layout = lay_out(
            tensors, self.config.max_coordinates, distributed=self.config.distributed
        )
        self._capture = UpdateCapture(self._layout.watched)
        rows = self._layout.tensors
        self._states = TensorStates([Thresholds.for_betas(*row.betas) for row in rows])
        self._scores = RunScores()
        self._step = 0
        self._last_watched_step = 0
        self._late: tuple[int, Readback] | None = None
        self._n_watched = 0
        self._verdict = WatchVerdict(step=0, watched=False)
        self._last_levels = self._layer_levels(), Level.OK
        self.judged: Judged | None = None
        self._hooks = [run_closures_early(each) for each in optimizers]
        self._hooks += [each.register_step_pre_hook(self._before_step) for each in optimizers]
        self._first = optimizers[0]
        self._is_captured = False
        self._unreadable = ""
        self._missed = 0

    def step(
        self,
        loss: Tensor | float | None = None,
        grad_norm: Tensor | float | None = None,
        *,
        attention_logit_max: Tensor | float | None = None,
        log_z: Tensor | float | None = None,
        sharpness_ratio: Tensor | float | None = None,
    ) -> WatchVerdict:
        """Judge the optimizer step that was just made; call it after `optimizer.step()`.

        Of several ranks each must call it. Losses are averaged over the ranks that give one. A step
        that the optimizer did not make, or skipped, is counted and changes no statistics.
        """
        numbers = (loss, grad_norm, attention_logit_max, log_z, sharpness_ratio)
        given = [as_number(number) for number in numbers]
        was_due = self._is_due
        self._step += 1
        self._missed = 0 if self._is_captured or not was_due else self._missed + 1
        if self._unreadable:
            reason, self._unreadable = f"not watched: {self._unreadable}", ""
            self._verdict = WatchVerdict(
                step=self._step, level=Level.WATCH, reasons=(reason,), watched=False
            )
            return self._verdict
        readback = self._read(given)
        if readback is None:
            verdict = self._without_statistics(given)
            return self._missing(verdict) if self._missed >= MISSED_STEPS else verdict
        ready: tuple[int, Readback] | None = (self._step, readback)
        if readback.is_late:
            ready, self._late = self._late, ready
        if ready is not None:
            self._judge(*ready)
        return self._verdict

    def _missing(self, verdict: WatchVerdict) -> WatchVerdict:
        reason = (
            f"not watched for {self._missed} steps: the optimizer that the watch was made with, or "
            "was attached to, makes no steps"
        )
        level = max(verdict.level, Level.WATCH, key=lambda level: level.concern)
        return replace(verdict, level=level, reasons=(reason, *verdict.reasons))

    def _before_step(self, optimizer: torch.optim.Optimizer, *_: Any) -> None:
        """Copy what the optimizer is about to use, if this step is to be watched."""
        if self._is_due and (not self._is_captured or optimizer is self._first):
            try:
                self._capture.capture()
            except Exception as error:  # whatever it is: a watch never stops a training
                self._unreadable = " ".join(str(error).split()) or type(error).__name__
            else:
                self._is_captured = True

    @property
    def _is_due(self) -> bool:
        return self._is_alert or (self._step + 1) % self.config.every_steps == 0

    @cached_property
    def layers(self) -> list[str]:
        """The layers, in the model's order."""
        return list(dict.fromkeys(row.layer for row in self._layout.tensors))

    @cached_property
    def _layer_T(self) -> np.ndarray:
        return np.array([self.layers.index(row.layer) for row in self._layout.tensors])

    @property
    def _is_alert(self) -> bool:
        """Whether to look at every step."""
        return self._states.is_stirred or Mechanism.BAD_BATCH in self._verdict.mechanisms

    def _read(self, given: Given) -> Readback | None:
        """Start to read the step's sums and numbers; None if it was not captured."""
        is_due, self._is_captured = self._is_captured, False
        if not is_due:
            return None
        sums = self._capture.take_sums()
        if sums is None:
            return None
        table = spread(self._layout, sums)
        scalars = pack_numbers(given, table.sums_TS.device)
        if self._layout.is_shared:
            add_over_ranks(table, scalars)
        parts = (table.sums_TS, table.u_max_T, table.counts_TCB, table.present_T, table.rate_T)
        return Readback.start([*parts, scalars])

    def _judge(self, step: int, readback: Readback) -> None:
        """Turn a step's sums into levels, reasons and a verdict."""
        *parts, scalars = readback.arrays()
        numbers = unpack_numbers(scalars)
        table = self._table(*parts)
        statistics = StatisticsTable(table)
        if not statistics.present.any():
            signals = self._scores.judge(numbers, explained=False)
            self._verdict = self._verdict_of(step, signals, None, watched=False)
            return
        self._states.update(statistics, steps=step - self._last_watched_step)
        self._last_watched_step = step
        signals = self._scores.judge(numbers, explained=self._states.is_stirred)
        self._n_watched += 1
        self._verdict = self._verdict_of(step, signals, statistics, watched=True)
        levels, level = self._layer_levels(), self._verdict.level
        is_change = (levels, level) != self._last_levels
        self._last_levels = levels, level
        self.judged = Judged(
            step, table, statistics, signals, numbers, levels, level, is_change, self._n_watched
        )

    def _table(self, *parts: np.ndarray) -> StepTable:
        sums_TS, u_max_T, counts_TCB, present_T, rate_T = parts
        beta1_T = np.array([row.betas[0] for row in self._layout.tensors])
        rate_T = rate_T / np.maximum(present_T, 1)
        return StepTable(sums_TS, u_max_T, counts_TCB, present_T, rate_T, beta1_T)

    def _verdict_of(
        self,
        step: int,
        signals: RunSignals,
        statistics: StatisticsTable | None,
        *,
        watched: bool,
    ) -> WatchVerdict:
        rows = rows_of_concern(self._states)
        layers = dict.fromkeys(self._layout.tensors[row].layer for row in rows)
        levels = [LEVELS[self._states.level[row]] for row in rows] + [signals.level]
        mechanisms = [self._states.mechanism[row] for row in rows]
        reasons = self._verdict.reasons
        if statistics is not None:
            names = [row.name for row in self._layout.tensors]
            reasons = tuple(
                reason_of(row, names[row], self._states, statistics) for row in rows[:MAX_REASONS]
            )
        return WatchVerdict(
            step=step,
            level=max(levels, key=lambda level: level.concern),
            reasons=signals.reasons + reasons,
            layers=tuple(layers),
            mechanisms=tuple(dict.fromkeys((*filter(None, mechanisms), *signals.mechanisms))),
            watched=watched,
        )

    def _without_statistics(self, given: Given) -> WatchVerdict:
        """Judge a step between samples, or one that the optimizer did not make."""
        if are_on_host(given) and not self._layout.is_shared:
            signals = self._scores.judge(read_numbers(given), explained=self._states.is_stirred)
            if signals.level is not Level.OK:
                self._verdict = self._verdict_of(self._step, signals, None, watched=False)
                return self._verdict
        return replace(self._verdict, step=self._step, watched=False)

    def _layer_levels(self) -> dict[str, Level]:
        worst = {layer: Level.OK for layer in self.layers}
        for row, level in zip(self._layout.tensors, self._states.level, strict=True):
            worst[row.layer] = max(worst[row.layer], LEVELS[level], key=lambda x: x.concern)
        return worst

    @property
    def constants(self) -> tuple[float, float, float]:
        """beta1, beta2 and epsilon of the first tensor's group."""
        first = self._layout.tensors[0]
        return (*first.betas, first.epsilon)

    @property
    def verdict(self) -> WatchVerdict:
        """The last verdict."""
        return self._verdict

    @property
    def levels(self) -> dict[str, Level]:
        """The level of every layer, in the model's order."""
        return self._layer_levels()

    @property
    def statistics(self) -> dict[str, UpdateStatistics]:
        """Statistics of every layer at the last watched step; empty before it."""
        if self.judged is None:
            return {}
        table = StatisticsTable(self.judged.table.by_layer(self._layer_T, len(self.layers)))
        return {layer: table.row(i) for i, layer in enumerate(self.layers)}

    @property
    def tensor_statistics(self) -> dict[str, UpdateStatistics]:
        """The same for every parameter tensor."""
        if self.judged is None:
            return {}
        rows = enumerate(self._layout.tensors)
        return {row.name: self.judged.statistics.row(i) for i, row in rows}

    @property
    def update_norm(self) -> float:
        """The norm of the whole update at the last watched step, from the coordinates watched."""
        if self.judged is None:
            return float("nan")
        sizes = np.array([math.prod(row.shape) for row in self._layout.tensors])
        return float(np.sqrt(np.nansum(sizes * self.judged.statistics.update_rms**2)))

    def state_dict(self) -> dict[str, Any]:
        """Return what a checkpoint must hold, as JSON-able values; finishes a late verdict first."""
        if self._late is not None:
            (late, self._late) = (self._late, None)
            self._judge(*late)
        return {
            "names": [row.name for row in self._layout.tensors],
            "step": self._step,
            "last_watched_step": self._last_watched_step,
            "n_watched": self._n_watched,
            "levels": {layer: level.value for layer, level in self._last_levels[0].items()},
            "run_level": self._last_levels[1].value,
            "tensors": self._states.state_dict(),
            "scores": self._scores.state_dict(),
            "verdict": self._verdict.as_plain(),
        }

    def load_state_dict(self, state: dict[str, Any]) -> None:
        """Put back what `state_dict` returned.

        Raises UserError if it is of another model or damaged; then the watch is as it was.
        """
        names = [row.name for row in self._layout.tensors]
        saved = state.get("names") if isinstance(state, dict) else None
        if saved != names:
            known = map(str, saved) if isinstance(saved, list) else ()
            missing = sorted(set(names) ^ set(known))
            raise UserError(
                "this state of the watch is of another model"
                + (f" (for example {missing[0]})" if missing else " (another order)")
                + "; resume with the model it was saved with, or start the watch anew"
            )
        try:
            self._load(state)
        except (KeyError, TypeError, ValueError, AttributeError) as error:
            raise UserError(
                f"this state of the watch is damaged ({type(error).__name__}: {error}); resume from "
                "another checkpoint, or start the watch anew"
            ) from error

    def _load(self, state: dict[str, Any]) -> None:
        """Read everything before anything is replaced."""
        counts = [int(state[name]) for name in ("step", "last_watched_step", "n_watched")]
        levels = {layer: Level(state["levels"][layer]) for layer in self.layers}
        run_level, verdict = Level(state["run_level"]), WatchVerdict.from_plain(state["verdict"])
        scores = RunScores()
        scores.load_state_dict(state["scores"])
        self._states.load_state_dict(state["tensors"])
        self._step, self._last_watched_step, self._n_watched = counts
        self._last_levels, self._verdict, self._scores = (levels, run_level), verdict, scores

    def detach(self) -> None:
        """Stop watching; the optimizer is as if it had never been watched."""
        for hook in self._hooks:
            hook.remove()
        self._hooks = []
