from collections import Counter

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from herd.data.permutation import permuted, permuted_plain

SIZES = [1, 2, 3, 4, 5, 7, 8, 9, 63, 64, 65, 1000, 4097]


def order(n, seed=0, epoch=0):
    return permuted(np.arange(n), n, seed=seed, epoch=np.full(n, epoch))


@pytest.mark.parametrize("n", SIZES)
@pytest.mark.parametrize("seed", [0, 1, 2**63])
def test_every_thing_stands_in_exactly_one_place(n, seed):
    assert sorted(order(n, seed)) == list(range(n))


@given(st.integers(1, 10**12), st.integers(0, 2**64 - 1), st.integers(0, 10**6), st.data())
def test_the_vector_version_equals_the_plain_one(n, seed, epoch, data):
    positions = data.draw(st.lists(st.integers(0, n - 1), min_size=1, max_size=5))
    epochs = np.full(len(positions), epoch)
    found = permuted(np.array(positions), n, seed=seed, epoch=epochs)
    assert found.tolist() == [permuted_plain(p, n, seed=seed, epoch=epoch) for p in positions]


def test_one_call_may_reach_over_epochs():
    n, epochs = 10, np.array([0, 0, 1, 5])
    positions = np.array([3, 9, 3, 0])
    found = permuted(positions, n, seed=7, epoch=epochs)
    assert found.tolist() == [order(n, 7, e)[p] for p, e in zip(positions, epochs, strict=False)]


def test_seeds_and_epochs_give_different_orders():
    orders = {tuple(order(50, seed, epoch)) for seed in range(10) for epoch in range(10)}
    assert len(orders) == 100


@pytest.mark.parametrize("n", [3, 5, 6])
def test_small_orders_are_all_about_equally_likely(n):
    """Each thing must come first equally often: chi-square at 99.9 %, with fixed seeds."""
    n_draws = 6000
    zero_N = np.zeros(n_draws, dtype=np.int64)
    first = Counter(permuted(zero_N, n, seed=0, epoch=np.arange(n_draws)).tolist())
    expected = n_draws / n
    chi_square = sum((first[i] - expected) ** 2 / expected for i in range(n))
    assert chi_square < {3: 13.82, 5: 18.47, 6: 20.52}[n]


def test_the_order_is_no_linear_shuffle():
    """Steps from one place to the next would be one or two values if it were a*i + b mod n."""
    n = 10_007
    steps = np.diff(order(n)) % n
    assert len(np.unique(steps)) > 0.6 * n  # 63 % expected of a random permutation
    assert abs(np.corrcoef(np.arange(n), order(n))[0, 1]) < 0.04
