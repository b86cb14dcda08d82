"""Speed and MFU, by a clock that the test turns."""

import pytest

from herd.training import Speedometer, StepMetrics


@pytest.fixture
def clock(monkeypatch):
    class Clock:
        now = 100.0

        def __call__(self) -> float:
            return self.now

    clock = Clock()
    monkeypatch.setattr("herd.training.metrics.time.perf_counter", clock)
    return clock


def test_speed_is_tokens_over_time_and_pauses_do_not_count(clock) -> None:
    speed = Speedometer(flops_per_token=10.0, ceiling_flops_per_s=10_000.0)
    for _ in range(5):
        clock.now += 100  # a validation
        speed.skip_pause()
        clock.now += 2
        speed.count(1000)
    assert speed.tokens_per_s == pytest.approx(500)
    assert speed.mfu == pytest.approx(0.5)
    assert speed.elapsed_s == pytest.approx(510)


def test_speed_forgets_what_is_long_past(clock) -> None:
    speed = Speedometer(flops_per_token=1, ceiling_flops_per_s=None)
    for duration_s in [50.0] * 10 + [1.0] * 20:
        speed.skip_pause()
        clock.now += duration_s
        speed.count(7)
    assert speed.tokens_per_s == pytest.approx(7)


def test_without_a_measured_ceiling_there_is_no_mfu(clock) -> None:
    speed = Speedometer(flops_per_token=1, ceiling_flops_per_s=None)
    assert speed.mfu is None
    assert speed.tokens_per_s == 0


def test_a_record_holds_every_field() -> None:
    metrics = StepMetrics(
        step=1,
        tokens=2,
        loss_nats=3.0,
        grad_norm=4.0,
        learning_rate=5.0,
        batch_tokens=6,
        tokens_per_s=7.0,
        mfu=None,
        elapsed_s=8.0,
    )
    assert metrics.as_record() == {
        "step": 1,
        "tokens": 2,
        "loss_nats": 3.0,
        "grad_norm": 4.0,
        "learning_rate": 5.0,
        "batch_tokens": 6,
        "tokens_per_s": 7.0,
        "mfu": None,
        "elapsed_s": 8.0,
    }
