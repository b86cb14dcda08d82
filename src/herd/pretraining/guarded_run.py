"""The watch and the interventions of a run, wired into its loop.

In: the stage's config, what is trained, the run's course. Out: the trainee with the parts that its
checkpoints must hold, the loop's safeguards, hooks to come before all others.
Never: an intervention that the config does not ask for; without any, the loop's own numbers.
"""

import contextlib
from collections.abc import Callable, Iterator
from dataclasses import dataclass, replace
from typing import Any

from herd.foundation import MetricsLog, RunDirectory
from herd.pretraining.initial_config import InitialConfig
from herd.pretraining.qk_clip_hook import QKClipHook
from herd.pretraining.run_log import RunLog
from herd.pretraining.run_state import stability_path
from herd.stability import (
    AdamWatch,
    QKClip,
    QKClipConfig,
    ResponseConfig,
    ResponsePolicy,
    SkipStep,
    StabilizedAdamW,
    WatchConfig,
    WatchLog,
)
from herd.training import (
    BatchSource,
    Course,
    Hook,
    Rollbacks,
    Safeguards,
    SavedPart,
    SpikeTrigger,
    StagesState,
    StepMetrics,
    StepSkipper,
    Trainee,
    TrainState,
    Verdict,
    WatchHook,
    count_calls,
)

WriteEvent = Callable[[dict[str, Any]], None]


@dataclass(frozen=True, kw_only=True, slots=True)
class Guards:
    """What `guarded` yields."""

    trainee: Trainee
    safeguards: Safeguards
    hooks: tuple[Hook, ...]


@contextlib.contextmanager
def guarded(
    trainee: Trainee,
    config: InitialConfig,
    source: BatchSource,
    rollbacks: Rollbacks,
    course: Course,
    run: RunDirectory,
    log: RunLog,
) -> Iterator[Guards]:
    """Watch the trainee and put in what was asked for, until the block ends."""
    with contextlib.ExitStack() as stack:
        watch = _watch(trainee, config, run, stack)
        write = watch.log.write_event if watch else _event_log(config, run, stack)
        parts: dict[str, SavedPart] = {"watch": watch} if watch else {}
        hooks: list[Hook] = []
        if isinstance(trainee.optimizer, StabilizedAdamW):
            _add_stages(trainee.optimizer, config, watch, write, parts, hooks)
        if config.interventions.qk_clip:
            clip = QKClip(QKClipConfig(tau=config.interventions.qk_clip), log=write)
            every_steps = config.watch_every_steps or 1
            parts["QK-clip"] = clip
            hooks.append(QKClipHook(clip, trainee.model, source, trainee.device, every_steps))
        if config.interventions.rollback and watch:
            trigger = _trigger(watch, config, rollbacks, log)
            parts["spike trigger"] = trigger
            hooks.append(trigger)
        safeguards = Safeguards(course=course)
        if watch:
            safeguards = replace(safeguards, watch=watch)
        if config.interventions.skip_step:
            skipper = StepSkipper(SkipStep(), write)
            parts["skip step"] = skipper
            safeguards = replace(safeguards, skip=skipper)
        guards = replace(trainee, parts=parts)
        yield Guards(trainee=guards, safeguards=safeguards, hooks=tuple(hooks))


def _watch(
    trainee: Trainee, config: InitialConfig, run: RunDirectory, stack: contextlib.ExitStack
) -> WatchHook | None:
    if not config.watch_every_steps:
        return None
    watch = AdamWatch(
        trainee.optimizer,
        trainee.model,
        config=WatchConfig(every_steps=config.watch_every_steps),
    )
    stack.callback(watch.detach)
    return WatchHook(watch, stack.enter_context(WatchLog(stability_path(run), watch)))


def _event_log(config: InitialConfig, run: RunDirectory, stack: contextlib.ExitStack) -> WriteEvent:
    if not config.interventions.any_on:
        return lambda record: None
    return stack.enter_context(MetricsLog(stability_path(run))).write


def _add_stages(
    optimizer: StabilizedAdamW,
    config: InitialConfig,
    watch: WatchHook | None,
    write: WriteEvent,
    parts: dict[str, SavedPart],
    hooks: list[Hook],
) -> None:
    optimizer.log = _dated(write, optimizer)
    parts["interventions"] = StagesState(optimizer)
    hooks.append(count_calls(optimizer))
    if config.interventions.learning_rate_damp and watch:
        policy = ResponsePolicy(optimizer, ResponseConfig(damp=True))
        parts["response policy"] = policy
        hooks.append(_respond(policy, watch))


def _dated(write: WriteEvent, optimizer: StabilizedAdamW) -> WriteEvent:
    """Date a line by the step that writes it, though it be about earlier ones: logs are cut by step."""
    return lambda record: write({**record, "step": optimizer.n_calls})


def _respond(policy: ResponsePolicy, watch: WatchHook) -> Hook:
    def respond(state: TrainState, metrics: StepMetrics) -> Verdict:
        policy.respond(watch.watch.verdict, watch.watch.levels)
        return Verdict()

    return respond


def _trigger(
    watch: WatchHook, config: InitialConfig, rollbacks: Rollbacks, log: RunLog
) -> SpikeTrigger:
    return SpikeTrigger(
        watch.watch,
        memory_steps=max(config.rollback.steps_back, 1),
        possible=rollbacks.possible,
        say=log.say,
    )
