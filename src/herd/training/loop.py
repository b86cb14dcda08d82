"""The one training loop: steps until the horizon, hooks beside them, checkpoints between them.

In: what is trained, a source of batches, a loss, a config in tokens, where the run stands.
Out: a trained model, records for the log, checkpoints, and why it ended.
Never: the name of a stage, a modality or a benchmark; a stage gives a loss and a source.
"""

import functools
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from typing import Any

from herd.data import Batch
from herd.foundation import UserError, progress_bar
from herd.training.batch_ramp import (
    BatchStage,
    check_ramp,
    longest_context,
    split_sequences,
    stage_at,
)
from herd.training.checkpoint import CheckpointStore, Trainee
from herd.training.hooks import Hook, Verdict
from herd.training.metrics import Speedometer, StepMetrics
from herd.training.safeguards import Safeguards
from herd.training.schedule import ScheduleConfig, step_learning_rate
from herd.training.source import BatchSource
from herd.training.state import TrainState, crossed
from herd.training.step import LossFunction, Precision, StepResult, train_step

NAMED_DOCUMENTS = 8  # of a bad batch, in the message; the log holds them all


@dataclass(frozen=True, kw_only=True, slots=True)
class LoopConfig:
    """One run of the loop; every length in tokens since its start.

    `micro_batch_tokens` is what goes through the model at once; it changes memory and speed, and
    the result only by rounding. `checkpoint_every_tokens` 0 saves at the end only.
    """

    horizon_tokens: int
    batch: tuple[BatchStage, ...]
    schedule: ScheduleConfig
    micro_batch_tokens: int
    clip_norm: float = 1.0
    precision: Precision = Precision.AUTO
    checkpoint_every_tokens: int
    keep_checkpoints: int = 2

    def __post_init__(self) -> None:
        """Check every field."""
        if self.horizon_tokens < 1:
            raise UserError(f"loop.horizon_tokens must be at least 1: {self.horizon_tokens}")
        if not self.clip_norm > 0:  # nan as well
            raise UserError(f"loop.clip_norm must be above 0: {self.clip_norm}")
        if self.checkpoint_every_tokens < 0 or self.keep_checkpoints < 1:
            raise UserError(
                "loop.checkpoint_every_tokens must not be negative and loop.keep_checkpoints at "
                f"least 1, not {self.checkpoint_every_tokens} and {self.keep_checkpoints}"
            )
        check_ramp(self.batch)
        longest = longest_context(self.batch)
        if self.micro_batch_tokens < longest or self.micro_batch_tokens % longest:
            raise UserError(
                f"loop.micro_batch_tokens ({self.micro_batch_tokens}) must be a multiple of the "
                f"longest context ({longest})"
            )


@dataclass(frozen=True, kw_only=True, slots=True)
class Outcome:
    """Where a run ended; `stopped_by` is empty when it reached its horizon.

    `failed` says that a hook gave the model up: nothing was saved at this end.
    """

    state: TrainState
    stopped_by: str
    failed: bool = False


class NonFiniteLossError(UserError):
    """A loss or gradient that is not a number: the run cannot go on from here."""

    def __init__(self, message: str, *, step: int) -> None:
        super().__init__(message)
        self.step = step


def train(
    trainee: Trainee,
    source: BatchSource,
    loss: LossFunction,
    config: LoopConfig,
    *,
    state: TrainState,
    store: CheckpointStore,
    record: Callable[[dict[str, Any]], None],
    speed: Speedometer,
    hooks: Sequence[Hook] = (),
    safeguards: Safeguards | None = None,
) -> Outcome:
    """Train from `state` to the horizon, or until a hook's verdict stops it; the end is saved.

    Raises NonFiniteLossError naming the step, the documents of its batch and the last good checkpoint.
    """
    horizon = config.horizon_tokens
    guards = safeguards or Safeguards()
    trainee.model.train()
    with progress_bar("training", horizon, unit="tokens", done=state.tokens) as bar:
        while state.tokens < horizon:
            stage = stage_at(config.batch, state.tokens)
            n_sequences = stage.batch_tokens // source.context
            state = guards.course.next_batch(state, n_sequences)
            speed.skip_pause()
            result, rate = _step(trainee, source, loss, config, state, stage, guards)
            speed.count(stage.batch_tokens)
            before = state
            state = before.after_batch(n_sequences=n_sequences, sequence_tokens=source.context)
            metrics = _measure(state, stage, result, rate, speed)
            watched = guards.watch(state, metrics)
            if not (result.applied or result.skipped):
                names = source.documents_in(before.next_sequence, n_sequences)
                record({**_bad_step(metrics, names), **watched.record})
                raise _non_finite(metrics, names, store)
            verdicts = [watched, *(hook(state, metrics) for hook in hooks)]
            record({**metrics.as_record(), **_fields(result, verdicts)})
            bar.advance(stage.batch_tokens, **_shown(metrics))
            if any(verdict.failed for verdict in verdicts):
                return Outcome(state=state, stopped_by="", failed=True)
            stop = next((verdict.stop for verdict in verdicts if verdict.stop), "")
            if stop or _checkpoint_due(config, state, stage):
                store.save(trainee, state)
            if stop and state.tokens < horizon:
                return Outcome(state=state, stopped_by=stop)
    store.save(trainee, state)
    return Outcome(state=state, stopped_by="")


def _step(
    trainee: Trainee,
    source: BatchSource,
    loss: LossFunction,
    config: LoopConfig,
    state: TrainState,
    stage: BatchStage,
    guards: Safeguards,
) -> tuple[StepResult, float]:
    rate = guards.course.learning_rate_factor(state) * step_learning_rate(
        config.schedule,
        tokens_before=state.tokens,
        batch_tokens=stage.batch_tokens,
        horizon_tokens=config.horizon_tokens,
    )
    skip = guards.skip
    result = train_step(
        trainee.optimizer,
        micro_batches(source, state.next_sequence, stage, config.micro_batch_tokens),
        loss,
        learning_rate=rate,
        clip_norm=config.clip_norm,
        precision=config.precision,
        device=trainee.device,
        skip=functools.partial(skip.reason, state.step + 1) if skip else None,
    )
    return result, rate


def micro_batches(
    source: BatchSource, first_sequence: int, stage: BatchStage, micro_batch_tokens: int
) -> Iterator[Batch]:
    """Yield one optimizer step's batch, piece by piece, in sequences of the stage's context."""
    end = first_sequence + stage.batch_tokens // source.context
    stride = micro_batch_tokens // source.context
    for first in range(first_sequence, end, stride):
        batch = source.batch(first, min(stride, end - first))
        yield split_sequences(batch, stage.context)


def _measure(
    state: TrainState, stage: BatchStage, result: StepResult, rate: float, speed: Speedometer
) -> StepMetrics:
    return StepMetrics(
        step=state.step,
        tokens=state.tokens,
        loss_nats=result.loss_nats,
        grad_norm=result.grad_norm,
        learning_rate=rate,
        batch_tokens=stage.batch_tokens,
        tokens_per_s=speed.tokens_per_s,
        mfu=speed.mfu,
        elapsed_s=speed.elapsed_s,
    )


def _fields(result: StepResult, verdicts: Sequence[Verdict]) -> dict[str, Any]:
    fields = {key: item for verdict in verdicts for key, item in verdict.record.items()}
    return {"skipped": result.skipped, **fields} if result.skipped else fields


def _shown(metrics: StepMetrics) -> dict[str, str]:
    shown = {"loss": f"{metrics.loss_nats:.3f}"}
    if metrics.mfu is not None:
        shown["MFU"] = f"{metrics.mfu:.0%}"
    return shown


def _checkpoint_due(config: LoopConfig, state: TrainState, stage: BatchStage) -> bool:
    before = state.tokens - stage.batch_tokens
    return crossed(before, state.tokens, config.checkpoint_every_tokens)


def _bad_step(metrics: StepMetrics, documents: list[str]) -> dict[str, Any]:
    return {
        "step": metrics.step,
        "loss_nats": metrics.loss_nats,
        "grad_norm": metrics.grad_norm,
        "documents": documents,
    }


def _non_finite(
    metrics: StepMetrics, documents: list[str], store: CheckpointStore
) -> NonFiniteLossError:
    shown = ", ".join(documents[:NAMED_DOCUMENTS])
    unnamed = len(documents) - NAMED_DOCUMENTS
    more = f" and {unnamed} more (all in the metrics log)" if unnamed > 0 else ""
    return NonFiniteLossError(
        f"step {metrics.step}: loss {metrics.loss_nats}, gradient norm {metrics.grad_norm}; not "
        f"finite, so training stops. Documents of the batch: {shown}{more}; "
        f"{store.last_good()}. Lower the learning rate, or look at those documents",
        step=metrics.step,
    )
