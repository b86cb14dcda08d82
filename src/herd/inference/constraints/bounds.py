"""Bounds on what a JSON grammar leaves open without end: digits of a number, levels of nesting.

In: the bytes of an answer as they come, a mask. Out: the mask without tokens that go beyond a bound.
Never: an answer that cannot be completed. A token is taken away only while others are left, and every
token that llguidance allows can be followed to an end; so bounds choose, they never break.
Fifteen digits are what a double holds exactly, so a number is still inside its limits once parsed.
"""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
import numpy.typing as npt

from herd.inference.constraints.vocabulary import DIGITS, ConstraintVocabulary

MAX_DIGITS = 15
MAX_EXPONENT_DIGITS = 2
MAX_LEVELS = 64  # Python's own reader fails at about 1,000
QUOTE, BACKSLASH = b'"'[0], b"\\"[0]


class JsonPosition(NamedTuple):
    """Where in a JSON text one is: enough to know what is a digit and what a level."""

    in_string: bool = False
    escaped: bool = False
    digits_left: int = MAX_DIGITS
    level: int = 0


def advance(position: JsonPosition, text: bytes) -> JsonPosition:
    """Return the position after `text`."""
    in_string, escaped, digits_left, level = position
    for byte in text:
        if in_string:
            in_string = escaped or byte != QUOTE
            escaped = not escaped and byte == BACKSLASH
        elif byte in DIGITS:
            digits_left -= 1
        elif byte in b"eE":
            digits_left = MAX_EXPONENT_DIGITS
        elif byte not in b"+-.":
            digits_left = MAX_DIGITS
            in_string = byte == QUOTE
            level += (byte in b"[{") - (byte in b"]}")
    return JsonPosition(in_string, escaped, digits_left, level)


def keep_bounds(
    allowed_V: npt.NDArray[np.bool_], position: JsonPosition, vocabulary: ConstraintVocabulary
) -> npt.NDArray[np.bool_]:
    """Return `allowed_V` [V] without what exceeds a bound, or as it is where nothing else is left."""
    n = vocabulary.n_ids
    is_number_full = not position.in_string and position.digits_left < vocabulary.most_digits
    if is_number_full:
        within = vocabulary.leading_digits_V <= max(0, position.digits_left)
        allowed_V = _narrowed(allowed_V, within[: len(allowed_V)], n)
    if position.level >= MAX_LEVELS:
        allowed_V = _narrowed(allowed_V, ~vocabulary.opens_V[: len(allowed_V)], n)
    return allowed_V


def _narrowed(
    allowed_V: npt.NDArray[np.bool_], within_V: npt.NDArray[np.bool_], n: int
) -> npt.NDArray[np.bool_]:
    narrowed_V = allowed_V.copy()
    narrowed_V[:n] &= within_V
    return narrowed_V if narrowed_V.any() else allowed_V
