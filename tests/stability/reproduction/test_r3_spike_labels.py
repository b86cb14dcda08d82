"""Labels on made-up curves, against loops that say the same naively."""

import math

import numpy as np
import pytest

from herd.stability.reproduction.r3_spike_labels import (
    batch_noise,
    excess_loss,
    excess_scores,
    first_spike_step,
    largest_excess,
    rolling_scores,
)


def curves(rise_nats: float = 0.0) -> tuple[np.ndarray, np.ndarray]:
    """A switch at step 60 that costs 2 nats by itself; updates cost `rise_nats` more at step 63."""
    rng = np.random.default_rng(0)
    noise = 0.05 * rng.standard_normal(80)
    loss = 0.1 + noise + 2.0 * (np.arange(80) >= 60)
    frozen = np.where(np.arange(80) >= 60, loss, np.nan)
    loss = loss.copy()
    loss[61:] -= 0.5
    loss[63] += 0.5 + rise_nats
    return loss, frozen


def test_new_data_alone_are_no_spike_though_the_plain_rule_says_so() -> None:
    loss, frozen = curves()
    assert rolling_scores(loss)[60] > 6
    assert first_spike_step(loss, frozen) is None


def test_a_loss_above_the_frozen_weights_is_a_spike_at_its_step() -> None:
    loss, frozen = curves(rise_nats=1.0)
    assert first_spike_step(loss, frozen) == 63
    assert largest_excess(loss[None], frozen[None])[0] == pytest.approx(1.0)


def test_a_loss_that_is_not_finite_is_a_spike() -> None:
    loss, frozen = curves()
    loss[70:] = np.nan
    assert first_spike_step(loss, frozen) == 70
    assert math.isinf(largest_excess(loss[None], frozen[None])[0])


def test_scores_are_the_naive_ones() -> None:
    loss, frozen = curves(rise_nats=0.3)
    awake = [x for x in frozen if not math.isnan(x)]
    mean = sum(awake) / len(awake)
    sigma = math.sqrt(sum((x - mean) ** 2 for x in awake) / len(awake))
    assert batch_noise(frozen) == pytest.approx(sigma)
    expected = [(loss[i] - frozen[i]) / sigma for i in range(60, 80)]
    np.testing.assert_allclose(excess_scores(loss, frozen)[60:], expected)
    assert np.isnan(excess_loss(loss, frozen)[:60]).all()


def test_rolling_scores_are_the_naive_ones() -> None:
    loss, _ = curves()
    scores = rolling_scores(loss, window_steps=20)
    assert np.isnan(scores[:2]).all()
    for step in (2, 19, 40, 79):
        window = list(loss[max(0, step - 20) : step])
        mean = sum(window) / len(window)
        sigma = math.sqrt(sum((x - mean) ** 2 for x in window) / len(window))
        assert scores[step] == pytest.approx((loss[step] - mean) / sigma)


def test_a_run_that_only_improves_has_no_excess() -> None:
    loss, frozen = curves()
    assert largest_excess((loss - 1)[None], frozen[None])[0] == 0
