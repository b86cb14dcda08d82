"""Skip step: a spike changes nothing but the position in the data; a level that stays is accepted."""

import copy
import math

import pytest
import torch

from herd.stability import SkipStep
from herd.stability.interventions.skip_step import SkipStepConfig
from herd.training import (
    NonFiniteLossError,
    Safeguards,
    Speedometer,
    StepSkipper,
    TrainState,
    Verdict,
    train,
)
from herd.training.step_skipper import MOST_NONFINITE_STEPS


def skipper(window_steps: int = 8) -> tuple[StepSkipper, list[dict]]:
    lines: list[dict] = []
    return StepSkipper(SkipStep(SkipStepConfig(window_steps=window_steps)), lines.append), lines


def test_a_spike_is_skipped_and_recorded_and_calm_is_not() -> None:
    rule, lines = skipper()
    calm = [rule.reason(step, 2.0 + 0.01 * (step % 3), 0.5) for step in range(1, 9)]
    assert calm == [""] * 8 and lines == []
    assert "loss 9 or gradient norm 0.5 is more than 6 deviations high" in rule.reason(9, 9.0, 0.5)
    assert [line["step"] for line in lines] == [9]
    assert lines[0]["before"] == {"loss_nats": 9.0, "grad_norm": 0.5}
    assert lines[0]["intervention"] == "skip step" and lines[0]["after"] == {"applied": 0.0}


@pytest.mark.parametrize("bad", [(math.nan, 1.0), (1.0, math.inf)])
def test_what_is_not_finite_is_skipped_but_not_for_ever(bad) -> None:
    rule, _ = skipper()
    reasons = [rule.reason(step, *bad) for step in range(MOST_NONFINITE_STEPS + 1)]
    assert all("not finite" in reason for reason in reasons[:-1]) and reasons[-1] == ""


def test_its_state_comes_back() -> None:
    whole, _ = skipper()
    values = [(2 + 0.1 * math.sin(step), 1.0) for step in range(20)] + [(9.0, 1.0), (2.0, 9.0)]
    expected = [whole.reason(step, *value) for step, value in enumerate(values)]
    first, _ = skipper()
    found = [first.reason(step, *value) for step, value in enumerate(values[:13])]
    second, _ = skipper()
    second.load_state_dict(first.state_dict())
    found += [second.reason(step, *value) for step, value in enumerate(values[13:], start=13)]
    assert found == expected and expected[-2] and expected[-1]


def poisoned_run(make_trainee, make_config, source, loss_for, store, *, poison: set[int], skip):
    """Sequences of these batches (from 0) have an infinite loss; return records and snapshots."""
    trainee = make_trainee()
    snapshots: dict[int, tuple] = {}
    calls: list[int] = []

    def loss(batch):
        result = loss_for(trainee.model)(batch)
        calls.append(0)
        bad = math.nan if (len(calls) - 1) // 2 in poison else 1.0
        return type(result)(result.loss_sum_nats * bad, result.n_tokens)

    def snapshot(state, metrics):
        snapshots[state.step] = (
            copy.deepcopy(trainee.model.state_dict()),
            copy.deepcopy(list(trainee.optimizer.state.values())),
        )
        return Verdict()

    records: list[dict] = []
    outcome = train(
        trainee,
        source,
        loss,
        make_config(),
        state=TrainState(),
        store=store,
        record=records.append,
        speed=Speedometer(flops_per_token=1, ceiling_flops_per_s=None),
        hooks=[snapshot],
        safeguards=Safeguards(skip=skip),
    )
    return outcome, records, snapshots


def test_a_skipped_step_leaves_weights_and_moments_and_moves_on(
    make_trainee, make_config, source, loss_for, store
) -> None:
    rule, lines = skipper()
    outcome, records, snapshots = poisoned_run(
        make_trainee, make_config, source, loss_for, store, poison={4}, skip=rule
    )
    (weights, moments), (weights_then, moments_then) = snapshots[4], snapshots[5]
    assert all(torch.equal(weights[name], weights_then[name]) for name in weights)
    for before, after in zip(moments, moments_then, strict=True):
        assert all(torch.equal(before[key], after[key]) for key in before)
    assert outcome.state == TrainState(step=12, tokens=12 * 64, next_sequence=48)
    assert [record["step"] for record in records if "skipped" in record] == [5]
    assert [line["step"] for line in lines] == [5]
    assert not torch.equal(snapshots[6][0]["norm.weight"], weights["norm.weight"])


def test_a_run_that_stays_not_finite_ends_as_without_the_rule(
    make_trainee, make_config, source, loss_for, store
) -> None:
    rule, _ = skipper()
    with pytest.raises(NonFiniteLossError, match="step 12: loss nan"):
        poisoned_run(
            make_trainee, make_config, source, loss_for, store, poison=set(range(1, 99)), skip=rule
        )
