"""Rollback and skip batches: the failure's data is left out, exactly, whoever is killed whenever."""

import json
import math
from dataclasses import dataclass, replace
from pathlib import Path

import pytest
import torch

from herd.data import Batch
from herd.foundation import MetricsLog, read_metrics
from herd.model import LossSum
from herd.stability import RollbackRule
from herd.training import (
    NonFiniteLossError,
    Outcome,
    Rollbacks,
    Safeguards,
    Speedometer,
    TrainState,
    Verdict,
    cut_log,
    run_with_rollbacks,
    train,
)

RULE = RollbackRule(
    steps_back=4, skip_batches=(6, 16), learning_rate_factors=(0.9, 0.67), memory_steps=50
)
STEPS = 18
BATCH = 4  # sequences
TIMES = {"tokens_per_s", "mfu", "elapsed_s"}


class Killed(BaseException):
    """As SIGKILL: nothing between here and the process's end may tidy up."""


@dataclass
class Run:
    """One run on disk; each `go` is a process of its own."""

    path: Path
    poison: range
    make_trainee: object
    make_config: object
    source: object
    loss_for: object
    store: object
    rule: RollbackRule = RULE

    def __post_init__(self) -> None:
        self.store = replace(self.store, directory=self.path / "checkpoints", keep=5)
        self.config = self.make_config(
            horizon_tokens=64 * STEPS, checkpoint_every_tokens=64 * 3, keep_checkpoints=5
        )
        self.rollbacks = Rollbacks(
            rule=self.rule,
            stages=self.config.batch,
            store=self.store,
            logs=(self.path / "metrics.jsonl", self.path / "stability.jsonl"),
        )
        self.said: list[str] = []

    def go(self, *hooks, seed: int = 0, roll_back: bool = True):
        trainee = self.make_trainee(seed=seed)
        seen: list[int] = []
        poison = self.poison

        class Recorded(type(self.source)):
            def batch(self, first_sequence: int, n_sequences: int) -> Batch:
                numbers = range(first_sequence, first_sequence + n_sequences)
                seen.extend(numbers)
                batch = super().batch(first_sequence, n_sequences)
                if set(numbers) & set(poison):
                    return replace(batch, tokens_BT=torch.full_like(batch.tokens_BT, 60))
                return batch

        def loss(batch: Batch) -> LossSum:
            result = self.loss_for(trainee.model)(batch)
            bad = math.nan if bool((batch.tokens_BT == 60).all()) else 1.0
            return LossSum(result.loss_sum_nats * bad, result.n_tokens)

        def attempt() -> Outcome:
            course = self.rollbacks.settle()
            latest = self.store.latest()
            state = self.store.load(latest, trainee) if latest else TrainState()
            for log in self.rollbacks.logs:
                cut_log(log, after_step=state.step)
            with MetricsLog(self.path / "metrics.jsonl") as log:
                return train(
                    trainee,
                    Recorded(),
                    loss,
                    self.config,
                    state=state,
                    store=self.store,
                    record=log.write,
                    speed=Speedometer(flops_per_token=1, ceiling_flops_per_s=None),
                    hooks=hooks,
                    safeguards=Safeguards(course=course),
                )

        if roll_back:
            outcome = run_with_rollbacks(attempt, self.rollbacks, self.said.append)
        else:
            outcome = attempt()
        return outcome, trainee, seen

    def log(self) -> list[dict]:
        records = read_metrics(self.path / "metrics.jsonl")
        return [{k: v for k, v in r.items() if k not in TIMES} for r in records]


@pytest.fixture
def make_run(tmp_path, make_trainee, make_config, source, loss_for, store):
    def make(name: str, poison: range = range(0), rule: RollbackRule = RULE) -> Run:
        path = tmp_path / name
        path.mkdir()
        return Run(path, poison, make_trainee, make_config, source, loss_for, store, rule)

    return make


POISON = range(12 * BATCH + 1, 14 * BATCH)  # met in steps 13 and 14


def test_without_a_rollback_the_poison_ends_the_run(make_run) -> None:
    run = make_run("run", POISON)
    with pytest.raises(NonFiniteLossError, match="step 13: loss nan"):
        run.go(roll_back=False)


def test_a_rollback_skips_exactly_the_sequences_of_the_failure(make_run) -> None:
    run = make_run("run", POISON)
    outcome, _, seen = run.go()
    # Step 13 failed: back 4 steps to 9, where a checkpoint is; 6 batches from there left out.
    skipped = range(9 * BATCH, 15 * BATCH)
    assert outcome.stopped_by == "" and outcome.state.step == STEPS
    assert outcome.state.next_sequence == (STEPS + 6) * BATCH
    assert outcome.state.n_rollbacks == 1
    first, second = seen[: 13 * BATCH], seen[13 * BATCH :]
    assert first == list(range(13 * BATCH))
    assert second == list(range(15 * BATCH, (STEPS + 6) * BATCH))
    assert not set(second) & set(skipped)
    assert run.said == [
        "step 13 failed: back to the checkpoint of step 9, 6 batches skipped from step 9, "
        "learning rate x 0.9 (attempt 1)"
    ]


def test_a_model_that_a_hook_gives_up_is_never_saved_and_rolled_back(make_run) -> None:
    run = make_run("run")
    saved: list[list[str]] = []

    def give_up(state, metrics) -> Verdict:
        saved.append([path.name for path in run.store.paths()])
        read = range(state.next_sequence - BATCH, state.next_sequence)
        return Verdict(failed=11 * BATCH in read)  # step 12, where a checkpoint is due

    outcome, _, seen = run.go(give_up)
    assert outcome.state.n_rollbacks == 1 and not outcome.failed
    # Step 12 failed: back 4 steps, to the checkpoint of step 6; steps 7 and 8 are made again.
    assert seen[12 * BATCH :] == [
        *range(6 * BATCH, 8 * BATCH),
        *range(14 * BATCH, (STEPS + 6) * BATCH),
    ]
    assert "step-00000012" not in saved[12]


def test_it_is_recorded_and_the_abandoned_steps_are_kept_aside(make_run) -> None:
    run = make_run("run", POISON)
    run.go()
    log = run.log()
    steps = [record["step"] for record in log if "loss_nats" in record]
    assert steps == list(range(1, STEPS + 1))
    line = next(record for record in log if "intervention" in record)
    assert line["intervention"] == "rollback" and line["rollback"] == 1
    assert line["skipped_sequences"] == [9 * BATCH, 15 * BATCH]
    assert line["before"]["step"] == 13 and line["after"]["step"] == 9
    aside = read_metrics(run.path / "abandoned" / "1" / "metrics.jsonl")
    assert [record["step"] for record in aside] == [10, 11, 12, 13]
    assert aside[-1]["loss_nats"] == "nan"


def test_the_learning_rate_is_lower_from_there_on(make_run) -> None:
    plain, rolled = make_run("plain"), make_run("rolled", POISON)
    plain.go()
    rolled.go()
    rates = [
        [record["learning_rate"] for record in run.log() if "learning_rate" in record]
        for run in (plain, rolled)
    ]
    factors = [b / a for a, b in zip(*rates, strict=True)]
    assert factors == pytest.approx([1.0] * 9 + [0.9] * (STEPS - 9))


def kill_at(step: int, *, on_call: int = 1):
    """A hook that kills at the n-th time that this step was made."""
    calls = []

    def hook(state, metrics) -> Verdict:
        calls.extend([0] if state.step == step else [])
        if len(calls) == on_call and state.step == step:
            raise Killed
        return Verdict()

    return hook


@pytest.mark.parametrize(("step", "on_call"), [(11, 1), (10, 2), (13, 1), (17, 1)])
def test_a_killed_and_resumed_run_ends_to_the_bit_like_one_left_alone(
    make_run, step: int, on_call: int
) -> None:
    alone, killed = make_run("alone", POISON), make_run("killed", POISON)
    outcome, expected, _ = alone.go()
    with pytest.raises(Killed):
        killed.go(kill_at(step, on_call=on_call))
    resumed, found, _ = killed.go(seed=3)
    assert resumed == outcome
    assert killed.log() == alone.log()
    for name, value in expected.model.state_dict().items():
        assert torch.equal(found.model.state_dict()[name], value)


@pytest.mark.parametrize("done", ["committed", "checkpoints removed", "one log turned back"])
def test_a_kill_in_the_middle_of_a_rollback_changes_nothing(
    make_run, done: str, monkeypatch
) -> None:
    from herd.training import rollback

    alone, killed = make_run("alone", POISON), make_run("killed", POISON)
    for run in (alone, killed):
        (run.path / "stability.jsonl").write_text('{"layers": ["a"]}\n{"step": 8}\n{"step": 12}\n')
    _, expected, _ = alone.go()
    turn_back = rollback._turn_back

    def kill(log: Path, number: int, detour) -> None:
        if done == "one log turned back" and log.name == "metrics.jsonl":
            return turn_back(log, number, detour)
        raise Killed

    place = (killed.store, "remove") if done == "committed" else (rollback, "_turn_back")
    with monkeypatch.context() as patch:
        if done == "committed":
            patch.setattr(type(place[0]), "remove", lambda *_: (_ for _ in ()).throw(Killed))
        else:
            patch.setattr(*place, kill)
        with pytest.raises(Killed):
            killed.go()
    _, found, _ = killed.go(seed=3)
    assert killed.log() == alone.log()
    for name in ("stability.jsonl", "abandoned/1/metrics.jsonl", "abandoned/1/stability.jsonl"):
        ours, theirs = (read_metrics(run.path / name) for run in (killed, alone))
        assert [{**r, **dict.fromkeys(TIMES)} for r in ours] == [
            {**r, **dict.fromkeys(TIMES)} for r in theirs
        ]
    assert all(
        torch.equal(found.model.state_dict()[name], value)
        for name, value in expected.model.state_dict().items()
    )


def test_a_second_failure_skips_more_and_a_third_ends_the_run(make_run) -> None:
    """The poison is longer than the first skip; then longer than both."""
    run = make_run("twice", range(12 * BATCH, 17 * BATCH))
    outcome, _, seen = run.go()
    rollbacks = run.rollbacks.course().rollbacks
    assert [each.attempt for each in rollbacks] == [1, 2]
    assert outcome.state.step == STEPS
    skipped = set(range(outcome.state.next_sequence)) - set(seen[-(STEPS - 6) * BATCH :])
    assert set(range(12 * BATCH, 17 * BATCH)) <= skipped
    thrice = make_run("thrice", range(12 * BATCH, 60 * BATCH))
    with pytest.raises(NonFiniteLossError, match="not finite"):
        thrice.go()
    assert len(thrice.rollbacks.course().rollbacks) == 2


def test_before_the_first_checkpoint_there_is_nothing_to_go_back_to(make_run) -> None:
    run = make_run("run", range(BATCH, 2 * BATCH))
    with pytest.raises(NonFiniteLossError, match="step 2"):
        run.go()
    assert not (run.path / "checkpoints" / "rollbacks.json").exists()


def test_the_checkpoints_of_the_abandoned_branch_are_removed_at_once(make_run) -> None:
    run = make_run("run", POISON)
    with pytest.raises(Killed):
        run.go(kill_at(10, on_call=2))
    assert [path.name for path in run.store.paths()] == [f"step-{n:08d}" for n in (3, 6, 9)]


def test_a_log_is_cut_after_a_step_but_keeps_the_lines_of_rollbacks(tmp_path) -> None:
    path = tmp_path / "log.jsonl"
    lines = [{"layers": []}, {"step": 1}, {"step": 9, "rollback": 1}, {"step": 2}, {"step": 3}]
    path.write_text("".join(json.dumps(line) + "\n" for line in lines) + '{"step"')
    cut_log(path, after_step=2)
    assert read_metrics(path) == lines[:4]
    cut_log(tmp_path / "absent.jsonl", after_step=2)
    assert not (tmp_path / "absent.jsonl").exists()
