"""The learning rate: torch's schedulers as oracle, and its independence of the batch."""

import math

import pytest
import torch

from herd.foundation import UserError
from herd.training import Decay, ScheduleConfig, learning_rate
from herd.training.schedule import step_learning_rate

HORIZON = 10_000


def config(**changes) -> ScheduleConfig:
    values = {"peak_lr": 3e-4, "warmup_tokens": 1_000, "final_lr_frac": 0.1}
    return ScheduleConfig(**{**values, **changes})


def test_cosine_equals_torchs_cosine_annealing() -> None:
    optimizer = torch.optim.SGD([torch.nn.Parameter(torch.zeros(1))], lr=3e-4)
    oracle = torch.optim.lr_scheduler.CosineAnnealingLR(optimizer, T_max=90, eta_min=3e-5)
    for block in range(90):
        ours = learning_rate(config(), 1_000 + 100 * block, horizon_tokens=HORIZON)
        assert math.isclose(ours, optimizer.param_groups[0]["lr"], rel_tol=1e-9)
        optimizer.step()
        oracle.step()


def test_linear_equals_torchs_linear_warmup_and_decay() -> None:
    optimizer = torch.optim.SGD([torch.nn.Parameter(torch.zeros(1))], lr=3e-4)
    oracle = torch.optim.lr_scheduler.LinearLR(
        optimizer, start_factor=1.0, end_factor=0.1, total_iters=90
    )
    for block in range(90):
        linear = config(decay=Decay.LINEAR)
        ours = learning_rate(linear, 1_000 + 100 * block, horizon_tokens=HORIZON)
        assert math.isclose(ours, optimizer.param_groups[0]["lr"], rel_tol=1e-9)
        optimizer.step()
        oracle.step()


@pytest.mark.parametrize(
    ("tokens", "expected"),
    [(0, 0.0), (500, 1.5e-4), (1_000, 3e-4), (HORIZON, 3e-5), (10 * HORIZON, 3e-5)],
)
@pytest.mark.parametrize("decay", [Decay.COSINE, Decay.LINEAR])
def test_landmarks_of_the_schedule(decay: Decay, tokens: int, expected: float) -> None:
    assert learning_rate(config(decay=decay), tokens, horizon_tokens=HORIZON) == pytest.approx(
        expected, rel=1e-12
    )


def test_a_constant_schedule_stays_at_its_peak() -> None:
    constant = config(decay=Decay.CONSTANT)
    assert learning_rate(constant, HORIZON, horizon_tokens=HORIZON) == 3e-4


def test_decay_may_end_elsewhere_than_the_run() -> None:
    early = config(decay_until_tokens=5_000)
    assert learning_rate(early, 5_000, horizon_tokens=HORIZON) == pytest.approx(3e-5)
    late = config(decay_until_tokens=50_000)
    assert learning_rate(late, HORIZON, horizon_tokens=HORIZON) > 2.5e-4


@pytest.mark.parametrize("decay", list(Decay))
def test_the_sum_of_rate_times_tokens_does_not_depend_on_the_batch(decay: Decay) -> None:
    def total(batch_tokens: int) -> float:
        return sum(
            batch_tokens
            * step_learning_rate(
                config(decay=decay),
                tokens_before=tokens,
                batch_tokens=batch_tokens,
                horizon_tokens=HORIZON,
            )
            for tokens in range(0, HORIZON, batch_tokens)
        )

    assert total(10) == pytest.approx(total(100), rel=1e-4)


def test_neither_the_first_nor_the_last_step_is_wasted() -> None:
    to_zero = config(final_lr_frac=0.0, decay=Decay.LINEAR)
    for before in (0, HORIZON - 100):
        assert (
            step_learning_rate(
                to_zero, tokens_before=before, batch_tokens=100, horizon_tokens=HORIZON
            )
            > 0
        )


@pytest.mark.parametrize(
    ("field", "value"),
    [
        ("peak_lr", 0.0),
        ("peak_lr", math.inf),
        ("warmup_tokens", -1),
        ("final_lr_frac", 1.5),
        ("decay_until_tokens", 1_000),
    ],
)
def test_a_bad_field_is_named(field: str, value: float) -> None:
    with pytest.raises(UserError, match=field):
        config(**{field: value})
