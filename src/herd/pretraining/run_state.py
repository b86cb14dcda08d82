"""Where a run's state is kept: its checkpoints and the logs that follow its steps.

In: the stage's config, its text, a run directory. Out: the store of checkpoints, the run's rollbacks,
a trainee put where the run stood, open logs.
"""

import contextlib
import math
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

from herd.foundation import MetricsLog, RunDirectory, format_count
from herd.pretraining.initial_config import InitialConfig, PackedText
from herd.pretraining.run_log import RunLog
from herd.stability import LOG_NAME
from herd.training import (
    CheckpointStore,
    Course,
    Rollbacks,
    TensorBoardLog,
    Trainee,
    TrainState,
    WatchHook,
    cut_log,
)


def stability_path(run: RunDirectory) -> Path:
    """Return where the watch and the interventions write."""
    return run.path / LOG_NAME


def checkpoint_store(config: InitialConfig, text: PackedText, run: RunDirectory) -> CheckpointStore:
    """Return the run's checkpoints, which are of this tokenizer and this text."""
    return CheckpointStore(
        directory=run.checkpoints_path,
        keep=_checkpoints_to_keep(config),
        identity={
            "tokenizer": text.tokenizer.fingerprint[:16],
            "training text": text.train.index.sha256[:16],
        },
    )


def _checkpoints_to_keep(config: InitialConfig) -> int:
    """Return how many; with rollback enough that one lies as far back as that goes."""
    loop = config.loop
    if not config.interventions.rollback or not loop.checkpoint_every_tokens:
        return loop.keep_checkpoints
    back_tokens = config.rollback.steps_back * max(stage.batch_tokens for stage in loop.batch)
    return max(loop.keep_checkpoints, math.ceil(back_tokens / loop.checkpoint_every_tokens) + 1)


def rollbacks_of(config: InitialConfig, store: CheckpointStore, run: RunDirectory) -> Rollbacks:
    """Return the rollbacks of this run."""
    return Rollbacks(
        rule=config.rollback,
        stages=config.loop.batch,
        store=store,
        logs=(run.metrics_path, stability_path(run)),
    )


def settle(rollbacks: Rollbacks, store: CheckpointStore) -> Course:
    """Make checkpoints and logs agree: with the rollbacks, and with the last checkpoint."""
    store.remove_unfinished()
    course = rollbacks.settle()
    latest = store.latest()
    state = store.state_of(latest) if latest else TrainState()
    for path in rollbacks.logs:  # what was logged beyond the checkpoint happens again now
        cut_log(path, after_step=state.step)
    return course


def resume(store: CheckpointStore, trainee: Trainee, log: RunLog) -> TrainState:
    """Put the run where its last checkpoint left it, or at the start."""
    latest = store.latest()
    if latest is None:
        return TrainState()
    state = store.load(latest, trainee)
    log.say(f"resuming after step {state.step}, {format_count(state.tokens)} tokens")
    for name in sorted(trainee.parts.keys() - store.part_names(latest)):
        log.say(f"{latest.name} was saved without the {name}, which begins anew")
        part = trainee.parts[name]
        if isinstance(part, WatchHook):
            part.begin_at(state.step)
    return state


@contextlib.contextmanager
def open_logs(
    run: RunDirectory, state: TrainState, log: RunLog
) -> Iterator[Callable[[dict[str, Any]], None]]:
    """Yield a function that writes a record to the metrics log and to TensorBoard."""
    with contextlib.ExitStack() as stack:
        writers = [stack.enter_context(MetricsLog(run.metrics_path)).write]
        try:
            board = TensorBoardLog(run.tensorboard_path, resume_tokens=state.tokens)
            stack.callback(board.close)
            writers.append(board.write)
        except ImportError:
            log.say("TensorBoard is not installed (pip install 'llama-herd[train]'); going without")

        def record(values: dict[str, Any]) -> None:
            for write in writers:
                write(values)

        yield record
