"""Bounds take tokens away where others are left, and only there."""

import json

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from herd.inference.constraints.bounds import (
    MAX_DIGITS,
    MAX_LEVELS,
    JsonPosition,
    advance,
    keep_bounds,
)
from herd.inference.constraints.vocabulary import ConstraintVocabulary

TOKENS = (b"1", b"234", b".", b".5", b"}", b'":[', b"a", b"e", b'"')
VOCABULARY = ConstraintVocabulary(TOKENS, ())
JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.text(max_size=8),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=3), inner),
    max_leaves=8,
)


def kept(position: JsonPosition, allowed: tuple[bytes, ...] = TOKENS) -> set[bytes]:
    allowed_V = np.array([token in allowed for token in TOKENS])
    kept_V = keep_bounds(allowed_V, position, VOCABULARY)
    return {token for token, keep in zip(TOKENS, kept_V, strict=True) if keep}


@given(JSON)
def test_a_whole_json_text_ends_outside_of_strings_and_levels(value: object) -> None:
    text = json.dumps(value).encode()
    end = advance(JsonPosition(), text + b",")
    assert end == JsonPosition(level=0)


@given(JSON, st.integers(0, 200))
def test_a_text_may_be_cut_anywhere(value: object, cut: int) -> None:
    text = json.dumps(value, ensure_ascii=False).encode()
    whole = advance(JsonPosition(), text)
    assert advance(advance(JsonPosition(), text[:cut]), text[cut:]) == whole


def test_a_number_of_fifteen_digits_grows_no_further() -> None:
    full = advance(JsonPosition(), b"[" + b"7" * MAX_DIGITS)
    assert kept(full) == {b"}", b'":[', b"a", b"e", b'"'}
    two_left = advance(JsonPosition(), b"-" + b"7" * (MAX_DIGITS - 2))
    assert kept(two_left) == set(TOKENS) - {b"234"}


def test_an_exponent_has_two_digits() -> None:
    assert kept(advance(JsonPosition(), b"[1e+30")) == {b"}", b'":[', b"a", b"e", b'"'}
    assert advance(JsonPosition(), b"[1e+30,").digits_left == MAX_DIGITS


def test_digits_inside_a_string_are_free() -> None:
    assert kept(advance(JsonPosition(), b'"' + b"7" * 99)) == set(TOKENS)
    assert kept(advance(JsonPosition(), b'"\\"' + b"7" * 99)) == set(TOKENS)


def test_levels_beyond_the_bound_are_not_opened() -> None:
    deep = advance(JsonPosition(), b"[" * MAX_LEVELS)
    assert kept(deep) == set(TOKENS) - {b'":['}


@pytest.mark.parametrize("allowed", [(b"1",), (b"1", b"234")])
def test_what_alone_is_allowed_stays_allowed(allowed: tuple[bytes, ...]) -> None:
    full = advance(JsonPosition(), b"7" * 20)
    assert kept(full, allowed) == set(allowed)
