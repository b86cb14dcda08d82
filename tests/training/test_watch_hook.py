"""The watch in the loop: it changes nothing, says what it sees, and resumes as if never stopped."""

import math
from dataclasses import replace

import pytest
import torch

from herd.foundation import read_metrics
from herd.model import LossSum
from herd.stability import AdamWatch, Level, WatchConfig, WatchLog, WatchVerdict
from herd.training import (
    NonFiniteLossError,
    Safeguards,
    Speedometer,
    SpikeTrigger,
    StepMetrics,
    TrainState,
    Verdict,
    WatchHook,
    cut_log,
    train,
)

TIMES = {"tokens_per_s", "mfu", "elapsed_s", "stability", "stability_reasons"}


def go(trainee, source, loss, config, store, log_path, *, hooks=(), every_steps=1, watched=True):
    """Train from the store's last checkpoint, as a process of its own would."""
    latest = store.latest()
    cut_log(log_path, after_step=store.state_of(latest).step if latest else 0)
    safeguards = Safeguards()
    if watched:
        config_ = WatchConfig(every_steps=every_steps)
        watch = AdamWatch(trainee.optimizer, trainee.model, config=config_)
        hook = WatchHook(watch, WatchLog(log_path, watch))
        trainee = replace(trainee, parts={"watch": hook})
        safeguards = Safeguards(watch=hook)
    state = store.load(latest, trainee) if latest else TrainState()
    records: list[dict] = []
    try:
        train(
            trainee,
            source,
            loss,
            config,
            state=state,
            store=store,
            record=records.append,
            speed=Speedometer(flops_per_token=1, ceiling_flops_per_s=None),
            hooks=hooks,
            safeguards=safeguards,
        )
    finally:
        if watched:
            watch.detach()
            hook.log.close()
    return records


@pytest.mark.parametrize("every_steps", [1, 3])
def test_a_watched_run_has_the_numbers_of_an_unwatched_one_to_the_bit(
    make_trainee, make_config, source, loss_for, store, tmp_path, every_steps: int
) -> None:
    found = {}
    for watched in (False, True):
        trainee = make_trainee()
        there = replace(store, directory=tmp_path / str(watched))
        records = go(
            trainee,
            source,
            loss_for(trainee.model),
            make_config(),
            there,
            tmp_path / "stability.jsonl",
            every_steps=every_steps,
            watched=watched,
        )
        plain = [{k: v for k, v in record.items() if k not in TIMES} for record in records]
        found[watched] = plain, trainee.model.state_dict(), records
    assert found[True][0] == found[False][0]
    assert all(torch.equal(found[True][1][name], value) for name, value in found[False][1].items())
    assert {record["stability"] for record in found[True][2]} <= {level.value for level in Level}
    steps = [line["step"] for line in read_metrics(tmp_path / "stability.jsonl")[1:]]
    assert steps == [step for step in range(1, 13) if step % every_steps == 0]


@pytest.mark.parametrize("every_steps", [1, 3])
@pytest.mark.parametrize("stop", [4, 7])
def test_a_resumed_watch_says_what_an_uninterrupted_one_says(
    make_trainee, make_config, source, loss_for, store, tmp_path, stop: int, every_steps: int
) -> None:
    def run(name: str, *hooks, seed: int = 0):
        trainee = make_trainee(seed=seed)
        there = replace(store, directory=tmp_path / name / "checkpoints")
        log = tmp_path / name / "stability.jsonl"
        loss = loss_for(trainee.model)
        arguments = (trainee, source, loss, config, there, log)
        return go(*arguments, hooks=hooks, every_steps=every_steps)

    config = make_config(checkpoint_every_tokens=64 * 4)
    expected = run("whole")
    before = run("halves", lambda state, _: Verdict(stop="enough" if state.step == stop else ""))
    after = run("halves", seed=5)
    levels = [(r["step"], r["stability"], r.get("stability_reasons")) for r in before + after]
    assert levels == [(r["step"], r["stability"], r.get("stability_reasons")) for r in expected]
    whole, halves = (tmp_path / name / "stability.jsonl" for name in ("whole", "halves"))
    assert halves.read_bytes() == whole.read_bytes()


def test_a_gradient_that_is_not_finite_is_a_recorded_verdict_before_the_run_stops(
    make_trainee, make_config, source, loss_for, store, tmp_path
) -> None:
    trainee = make_trainee()
    calls: list[int] = []

    def loss(batch) -> LossSum:
        result = loss_for(trainee.model)(batch)
        calls.append(0)
        bad = math.nan if len(calls) > 2 * 6 else 1.0
        return LossSum(result.loss_sum_nats * bad, result.n_tokens)

    records: list[dict] = []
    watch = AdamWatch(trainee.optimizer, trainee.model)
    log = WatchLog(tmp_path / "stability.jsonl", watch)
    with log, pytest.raises(NonFiniteLossError, match="step 7"):
        train(
            trainee,
            source,
            loss,
            make_config(),
            state=TrainState(),
            store=store,
            record=records.append,
            speed=Speedometer(flops_per_token=1, ceiling_flops_per_s=None),
            safeguards=Safeguards(watch=WatchHook(watch, log)),
        )
    assert records[-1]["step"] == 7 and records[-1]["stability"] == "ALARM"
    assert any("loss is nan" in reason for reason in records[-1]["stability_reasons"])


def test_a_watch_that_begins_late_counts_the_runs_steps(make_trainee, tmp_path) -> None:
    trainee = make_trainee()
    watch = AdamWatch(trainee.optimizer, trainee.model)
    with WatchLog(tmp_path / "stability.jsonl", watch) as log:
        hook = WatchHook(watch, log)
        hook.begin_at(40)
        assert watch.step(loss=2.0).step == 41


class Said:
    """A watch of which only the verdict is asked."""

    verdict = WatchVerdict(step=0)

    def rings(self, level: Level) -> None:
        self.verdict = WatchVerdict(step=0, level=level)


def trigger_run(trigger: SpikeTrigger, watch: Said, *, alarm_at: int, spike_at: int) -> list[int]:
    failed = []
    for step in range(1, 120):
        watch.rings(Level.ALARM if step == alarm_at else Level.OK)
        loss_nats = 9.0 if step == spike_at else 2.0 + 0.01 * (step % 5)
        if trigger(TrainState(step=step), metrics_of(step, loss_nats)).failed:
            failed.append(step)
    return failed


def metrics_of(step: int, loss_nats: float) -> StepMetrics:
    return StepMetrics(
        step=step,
        tokens=step,
        loss_nats=loss_nats,
        grad_norm=1.0,
        learning_rate=1e-3,
        batch_tokens=1,
        tokens_per_s=1.0,
        mfu=None,
        elapsed_s=1.0,
    )


@pytest.mark.parametrize(
    ("alarm_at", "spike_at", "possible", "failed"),
    [
        (100, 104, True, [104]),
        (104, 104, True, [104]),
        (100, 200, True, []),  # no spike
        (200, 104, True, []),  # no alarm: a bad batch passes
        (80, 104, True, []),  # too long ago
        (106, 104, True, []),  # too late
        (100, 104, False, []),
    ],
)
def test_only_a_spike_soon_after_an_alarm_gives_the_run_up(
    alarm_at: int, spike_at: int, possible: bool, failed: list[int]
) -> None:
    watch, said = Said(), []
    trigger = SpikeTrigger(watch, memory_steps=10, possible=lambda step: possible, say=said.append)
    assert trigger_run(trigger, watch, alarm_at=alarm_at, spike_at=spike_at) == failed
    assert len(said) == (not possible)


def test_the_triggers_state_comes_back() -> None:
    watch = Said()
    first = SpikeTrigger(watch, memory_steps=10, possible=lambda step: True, say=print)
    trigger_run(first, watch, alarm_at=115, spike_at=200)
    second = SpikeTrigger(watch, memory_steps=10, possible=lambda step: True, say=print)
    second.load_state_dict(first.state_dict())
    watch.rings(Level.OK)
    assert second(TrainState(step=120), metrics_of(120, 9.0)).failed
