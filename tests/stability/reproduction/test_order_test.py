"""Controls: noise with memory is found; independent noise and a steady signal are not."""

import numpy as np
import pytest

from herd.stability.reproduction.order_test import order_test
from herd.stability.reproduction.r1_falsification import made_up_gradients


def p_values(kind: str, n: int = 12) -> list[float]:
    return [
        order_test(
            made_up_gradients(seed)[kind], 0.9, 0.95, np.random.default_rng(seed), n_permutations=39
        ).p_value
        for seed in range(n)
    ]


def test_persistent_noise_owes_its_norm_to_its_order() -> None:
    kind = "made up: noise with correlation 0.9"
    assert max(p_values(kind)) == pytest.approx(1 / 40)
    one = order_test(made_up_gradients(0)[kind], 0.9, 0.95, np.random.default_rng(0))
    assert one.update_rms > 1.15 * one.shuffled_rms


@pytest.mark.parametrize("kind", ["made up: independent noise", "made up: signal, SNR 1"])
def test_noise_and_signal_do_not(kind: str) -> None:
    found = np.array(p_values(kind)) <= 0.05
    assert found.mean() <= 0.25


def test_the_p_value_never_reaches_nothing() -> None:
    gradients = np.ones((20, 3))
    assert order_test(gradients, 0.9, 0.95, np.random.default_rng(0), n_permutations=9).p_value == 1
