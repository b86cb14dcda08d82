"""The loop: resuming is as if nothing had happened, wherever it was stopped."""

import math
import os
import signal
from dataclasses import replace
from typing import Any

import pytest
import torch

from herd.data import Batch
from herd.foundation import UserError
from herd.model import LossSum
from herd.training import (
    BatchStage,
    NonFiniteLossError,
    Outcome,
    Precision,
    Speedometer,
    TrainState,
    Verdict,
    every_tokens,
    stop_on_signals,
    train,
)


def run(trainee, source, loss, config, store, *, hooks=(), state=None) -> tuple[Outcome, list]:
    records: list[dict[str, Any]] = []
    outcome = train(
        trainee,
        source,
        loss,
        config,
        state=state or TrainState(),
        store=store,
        record=records.append,
        speed=Speedometer(flops_per_token=100, ceiling_flops_per_s=1e9),
        hooks=hooks,
    )
    return outcome, records


def numbers(records: list[dict[str, Any]]) -> list[tuple]:
    return [
        (r["step"], r["tokens"], r["loss_nats"], r["grad_norm"], r["learning_rate"])
        for r in records
    ]


def stop_after(step: int):
    return lambda state, metrics: Verdict(stop="enough" if state.step == step else "")


def test_the_loss_falls_and_every_step_is_recorded(
    make_trainee, make_config, source, loss_for, store
) -> None:
    trainee = make_trainee()
    config = make_config(horizon_tokens=64 * 60)
    outcome, records = run(trainee, source, loss_for(trainee.model), config, store)
    assert outcome == Outcome(
        state=TrainState(step=60, tokens=64 * 60, next_sequence=240), stopped_by=""
    )
    assert [record["step"] for record in records] == list(range(1, 61))
    assert records[-1]["loss_nats"] < records[0]["loss_nats"] - 0.5
    assert all(record["mfu"] > 0 for record in records)
    assert store.latest().name == "step-00000060"


@pytest.mark.parametrize(
    ("precision", "stop"),
    [
        *((Precision.FLOAT32, stop) for stop in (1, 5, 7, 11)),
        *((Precision.BFLOAT16, stop) for stop in (1, 11)),
        (Precision.AUTO, 5),  # one of the two
    ],
)
def test_a_resumed_run_repeats_the_uninterrupted_one_to_the_last_digit(
    make_trainee, make_config, source, loss_for, store, tmp_path, stop: int, precision
) -> None:
    config = make_config(precision=precision)
    whole = make_trainee()
    elsewhere = replace(store, directory=tmp_path / "whole")
    _, expected = run(whole, source, loss_for(whole.model), config, elsewhere)
    first = make_trainee()
    outcome, before = run(
        first, source, loss_for(first.model), config, store, hooks=[stop_after(stop)]
    )
    assert outcome.stopped_by == "enough" and outcome.state.step == stop
    second = make_trainee(seed=7)  # whatever it starts from, the checkpoint replaces
    state = store.load(store.latest(), second)
    _, after = run(second, source, loss_for(second.model), config, store, state=state)
    assert numbers(before + after) == numbers(expected)
    for name, value in whole.model.state_dict().items():
        assert torch.equal(second.model.state_dict()[name], value)


def test_a_ramp_moves_through_the_data_without_gap_or_repeat(
    make_trainee, make_config, source, loss_for, store
) -> None:
    seen: list[int] = []

    class Watched(type(source)):
        def batch(self, first_sequence: int, n_sequences: int) -> Batch:
            seen.extend(range(first_sequence, first_sequence + n_sequences))
            return super().batch(first_sequence, n_sequences)

    config = make_config(
        horizon_tokens=1024,
        batch=(
            BatchStage(from_tokens=0, batch_tokens=32, context=8),
            BatchStage(from_tokens=64, batch_tokens=64, context=16),
            BatchStage(from_tokens=512, batch_tokens=128, context=16),
        ),
    )
    trainee = make_trainee()
    _, records = run(trainee, Watched(), loss_for(trainee.model), config, store)
    assert [record["batch_tokens"] for record in records] == [32] * 2 + [64] * 7 + [128] * 4
    assert seen == list(range(1024 // 16))


def test_micro_batches_change_the_result_by_rounding_only(
    make_trainee, make_config, source, loss_for, store, tmp_path
) -> None:
    final = {}
    for micro in (16, 64):
        trainee = make_trainee()
        there = replace(store, directory=tmp_path / str(micro))
        config = make_config(micro_batch_tokens=micro)
        _, records = run(trainee, source, loss_for(trainee.model), config, there)
        final[micro] = records[-1]["loss_nats"]
    assert final[16] == pytest.approx(final[64], rel=1e-5)


def test_a_non_finite_loss_names_step_documents_and_last_good_checkpoint(
    make_trainee, make_config, source, loss_for, store
) -> None:
    trainee = make_trainee()
    calls = []

    def poisoned(batch: Batch) -> LossSum:
        calls.append(batch)
        result = loss_for(trainee.model)(batch)
        bad = math.nan if len(calls) > 2 * 6 else 1.0  # two micro-batches a step: step 7
        return LossSum(result.loss_sum_nats * bad, result.n_tokens)

    records: list[dict[str, Any]] = []
    with pytest.raises(NonFiniteLossError) as caught:
        train(
            trainee,
            source,
            poisoned,
            make_config(),
            state=TrainState(),
            store=store,
            record=records.append,
            speed=Speedometer(flops_per_token=1, ceiling_flops_per_s=None),
        )
    message = str(caught.value)
    assert isinstance(caught.value, UserError) and "\n" not in message
    assert message.startswith("step 7: loss nan")
    assert "document-24, document-25, document-26, document-27" in message
    assert f"last good checkpoint: {store.directory / 'step-00000005'}" in message
    assert records[-1]["documents"] == [f"document-{n}" for n in range(24, 28)]


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT])
def test_a_signal_finishes_the_step_saves_and_leaves(
    make_trainee, make_config, source, loss_for, store, number
) -> None:
    def send(state, metrics) -> Verdict:
        if state.step == 3:
            os.kill(os.getpid(), number)
        return Verdict()

    trainee = make_trainee()
    before = signal.getsignal(number)
    with stop_on_signals() as stop:
        outcome, records = run(
            trainee, source, loss_for(trainee.model), make_config(), store, hooks=[send, stop]
        )
    assert outcome.stopped_by == number.name
    assert outcome.state.step == 3 and len(records) == 3
    assert store.latest().name == "step-00000003"
    assert signal.getsignal(number) is before


def test_hooks_run_at_multiples_of_tokens_and_at_both_ends(
    make_trainee, make_config, source, loss_for, store
) -> None:
    trainee = make_trainee()
    config = make_config()
    hook = every_tokens(
        64 * 5, config.horizon_tokens, lambda state, metrics: Verdict(record={"seen": state.step})
    )
    _, records = run(trainee, source, loss_for(trainee.model), config, store, hooks=[hook])
    assert [record["seen"] for record in records if "seen" in record] == [1, 5, 10, 12]


@pytest.mark.parametrize(
    ("field", "value"),
    [
        ("horizon_tokens", 0),
        ("micro_batch_tokens", 17),
        ("clip_norm", 0.0),
        ("keep_checkpoints", 0),
        ("checkpoint_every_tokens", -1),
    ],
)
def test_a_bad_field_is_named(make_config, field: str, value: float) -> None:
    with pytest.raises(UserError, match=field):
        make_config(**{field: value})
