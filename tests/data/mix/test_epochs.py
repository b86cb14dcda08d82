"""Shares to epochs: what is asked for is what is read."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from herd.data.mix.epochs import epochs_of, explicit_shares, temperature_shares
from herd.foundation import UserError

sizes = st.dictionaries(st.sampled_from("abcdef"), st.integers(1, 10**9), min_size=1)


@given(sizes, st.integers(1, 10**10), st.floats(0.1, 8))
def test_the_shares_are_met_whatever_there_is(n_bytes, total, max_epochs):
    shares = temperature_shares(n_bytes, 3.0)
    epochs = epochs_of(n_bytes, shares, total, max_epochs)
    read = {group: epochs[group] * size for group, size in n_bytes.items()}
    whole = sum(read.values())
    assert whole <= total * (1 + 1e-9)
    assert max(epochs.values()) <= max_epochs * (1 + 1e-9)
    assert whole == pytest.approx(total) or max(epochs.values()) == pytest.approx(max_epochs)
    assert {g: b / whole for g, b in read.items()} == pytest.approx(shares)


@given(sizes)
def test_temperature_one_changes_nothing_and_a_high_one_makes_all_alike(n_bytes):
    total = sum(n_bytes.values())
    as_they_are = {group: size / total for group, size in n_bytes.items()}
    assert temperature_shares(n_bytes, 1.0) == pytest.approx(as_they_are)
    alike = temperature_shares(n_bytes, 1e9)
    assert alike == pytest.approx(dict.fromkeys(n_bytes, 1 / len(n_bytes)), rel=1e-6)


def test_weights_are_shares_and_the_rest_is_shared_by_size():
    n_bytes = {"code": 10, "a": 30, "b": 10}
    shares = explicit_shares(n_bytes, {"code": 1.0, "*": 3.0})
    assert shares == pytest.approx({"code": 0.25, "a": 0.5625, "b": 0.1875})
    assert explicit_shares({"code": 5}, {"code": 0.2, "*": 0.8}) == {"code": 1.0}


def test_a_weight_of_nothing_drops_a_group():
    shares = explicit_shares({"a": 1, "b": 1}, {"a": 1.0, "b": 0.0})
    assert epochs_of({"a": 1, "b": 1}, shares, 1, 4.0) == {"a": 1.0, "b": 0.0}


@pytest.mark.parametrize(
    ("weights", "message"),
    [
        ({"a": 1.0, "c": 1.0}, "no text of 'c'; there is a, b"),
        ({"a": 1.0}, "none for 'b'"),
        ({"a": 0.0, "b": 0.0}, "has weight 0"),
    ],
)
def test_weights_that_do_not_fit_the_text_are_refused(weights, message):
    with pytest.raises(UserError, match=message):
        explicit_shares({"a": 1, "b": 1}, weights)
