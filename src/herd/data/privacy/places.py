"""The places in a text near which private data may begin, found for all kinds at once by arithmetic on bytes.

The text is looked at as Latin-1, a byte for each character, so that a place in one is a place in the other; what
Latin-1 has not is a question mark, which no hint has. Hints are three characters: two look-ups in tables of
pairs leave only places where one stands, whatever their number.
In: a text. Out: places in order. Never: a place left out at which a kind's pattern could match.
"""

import itertools
from collections.abc import Callable, Iterable
from functools import cached_property

import numpy as np
from numpy.typing import NDArray

Places = NDArray[np.int64]
Bytes = NDArray[np.uint8]
HINT_CHARS = 3
NOWHERE: Places = np.empty(0, dtype=np.int64)
IS_WORD = np.array([byte < 128 and chr(byte).isalnum() for byte in range(256)])
IS_SEPARATOR = np.array([chr(byte) in " ./()-" for byte in range(256)])
MIN_GROUPED = 4  # no kind asks for groups of fewer digits
PADDING = b"?" * 64  # so that what follows a place can be looked at without a look at the end


class Hints:
    """Many hints, looked for in one pass."""

    def __init__(self, hints: Iterable[str], folded_hints: Iterable[str]) -> None:
        """Take the hints as they are, and those of which lower and upper case are the same."""
        self.codes: dict[int, str] = {}
        for hint in folded_hints:
            cases = itertools.product(*({one.lower(), one.upper()} for one in hint))
            self.codes |= {_code("".join(case)): hint for case in cases}
        self.codes |= {_code(hint): hint for hint in hints}
        self._first, self._second = np.zeros(1 << 16, np.bool_), np.zeros(1 << 16, np.bool_)
        for code in self.codes:
            self._first[code & 0xFFFF] = True
            self._second[code >> 8] = True

    def places(self, data: bytes) -> dict[str, list[int]]:
        """Return where each hint stands that does, in order."""
        array = np.frombuffer(data, dtype=np.uint8)
        candidates = np.concatenate([self._pairs(data, 0), self._pairs(data, 1)])
        candidates = candidates[candidates < array.size - HINT_CHARS]
        after = array[candidates + 1] | array[candidates + 2].astype(np.uint16) << np.uint16(8)
        candidates = np.sort(candidates[self._second[after]])
        if not candidates.size:
            return {}
        codes = sum(array[candidates + i].astype(np.int64) << (8 * i) for i in range(HINT_CHARS))
        found: dict[str, list[int]] = {}
        for place, code in zip(candidates.tolist(), np.asarray(codes).tolist(), strict=True):
            if (hint := self.codes.get(code)) is not None:
                found.setdefault(hint, []).append(place)
        return found

    def _pairs(self, data: bytes, offset: int) -> Places:
        """Where one of the first pairs stands, at even or at odd places."""
        pairs = np.frombuffer(data, dtype="<u2", count=(len(data) - offset) // 2, offset=offset)
        return np.flatnonzero(self._first.take(pairs)) * 2 + offset


class Text:
    """A text's bytes, and what the kinds ask of them, each found out once."""

    def __init__(self, text: str) -> None:
        """Take a text."""
        self.size = len(text)
        self.data = text.encode("latin-1", "replace") + PADDING
        self.bytes: Bytes = np.frombuffer(self.data, dtype=np.uint8)

    @cached_property
    def digits(self) -> Places:
        """Where the ASCII digits are."""
        return np.flatnonzero((self.bytes - np.uint8(48)) < 10)

    @cached_property
    def left_in_group(self) -> Places:
        """How many digits of its group there are from each digit on: at most two separators between."""
        digits = self.digits
        gaps = digits[1:] - digits[:-1]
        is_separator = IS_SEPARATOR[self.at(digits, 1)][:-1]
        joined = (gaps == 1) | (gaps <= 3) & is_separator
        threes = np.flatnonzero(gaps == 3)
        joined[threes] &= IS_SEPARATOR[self.at(digits[threes], 2)]
        ends = np.append(np.flatnonzero(~joined) + 1, digits.size)
        n_each = np.diff(ends, prepend=0)
        left: Places = np.repeat(ends, n_each) - np.arange(digits.size)
        return left

    @cached_property
    def largest_group(self) -> int:
        """How many digits the largest group has."""
        return int(self.left_in_group.max()) if self.digits.size >= MIN_GROUPED else 0

    @cached_property
    def pairs_after_capitals(self) -> Places:
        """Where two digits follow a capital letter."""
        if self.digits.size < 2:
            return NOWHERE
        pairs = self.digits[:-1][self.digits[1:] - self.digits[:-1] == 1]
        found: Places = pairs[(self.at(pairs, -1) - np.uint8(65)) < 26]
        return found

    def at(self, places: Places, offset: int) -> Bytes:
        """Return the byte so far from each place; before the text there are question marks."""
        return self.bytes[places + offset]  # a negative place looks into the padding at the end


Anchor = Callable[[Text], Places]


def digits_within(n_digits: int, n_chars: int) -> Anchor:
    """Where `n_digits` begin that stand within `n_chars`."""

    def places(text: Text) -> Places:
        n_places = text.digits.size - n_digits + 1
        if n_places <= 0:
            return NOWHERE
        width = text.digits[n_digits - 1 :] - text.digits[:n_places]
        found: Places = text.digits[:n_places][width < n_chars]
        return found

    return places


def grouped_digits(n_digits: int, n_chars: int) -> Anchor:
    """The same, with nothing between them but what digits are grouped by; MIN_GROUPED at least."""
    if n_digits < MIN_GROUPED:
        raise ValueError(f"groups of {n_digits} digits are not looked for")

    def places(text: Text) -> Places:
        if text.largest_group < n_digits:
            return NOWHERE
        starts = np.flatnonzero(text.left_in_group >= n_digits)
        digits = text.digits
        found: Places = digits[starts[digits[starts + n_digits - 1] - digits[starts] < n_chars]]
        return found

    return places


def after_capital(text: Text) -> Places:
    """Where two digits follow a capital letter."""
    return text.pairs_after_capitals


_four_digits = grouped_digits(4, 7)


def dotted_digits(text: Text) -> Places:
    """Where one to three digits and a dot begin, of at least four digits within seven characters."""
    starts = _four_digits(text)
    dot = ord(".")
    is_dotted = [text.at(starts, offset) == dot for offset in (1, 2, 3)]
    found: Places = starts[is_dotted[0] | is_dotted[1] | is_dotted[2]]
    return found


def hexadecimal(text: Text) -> Places:
    """Where `0x` stands."""
    zeros = text.digits[text.at(text.digits, 0) == ord("0")]
    found: Places = zeros[text.at(zeros, 1) == ord("x")]
    return found


def long_words(text: Text) -> Places:
    """Where a 1 or 3 is followed by what may be 25 letters and digits."""
    if not text.digits.size:
        return NOWHERE
    # The characters 1 and 3 are those digits that are 0x31 with or without the second bit.
    starts = text.digits[text.at(text.digits, 0) & 0xFD == ord("1")]
    for offset in (1, 4, 2, 3, 25, 12, 7):
        starts = starts[IS_WORD[text.at(starts, offset)]]
    found: Places = starts
    return found


def ats(text: Text) -> Places:
    """Where an at sign stands."""
    return np.flatnonzero(text.bytes == ord("@")) if b"@" in text.data else NOWHERE


def near_colons(text: Text) -> Places:
    """Where a colon is followed by another within five characters."""
    if text.data.count(b":") < 2:
        return NOWHERE
    colons = np.flatnonzero(text.bytes == ord(":"))
    found: Places = colons[:-1][np.diff(colons) <= 5]
    return found


def pairs_apart(text: Text) -> Places:
    """Where a colon or hyphen is followed by four like it, each three characters on."""
    found = [_repeated(text, sign, every=3, times=5) for sign in ":-"]
    return np.sort(np.concatenate(found))


def dots_apart(text: Text) -> Places:
    """Where a dot is followed by another five characters on."""
    return _repeated(text, ".", every=5, times=2)


def _repeated(text: Text, sign: str, every: int, times: int) -> Places:
    """Where a sign stands so many times, so many characters from each other."""
    if text.data.count(sign.encode()) < times:
        return NOWHERE
    is_sign = text.bytes == ord(sign)
    size = text.size  # the padding is longer than what is looked at
    is_place = is_sign[:size]
    for n in range(1, times):
        is_place = is_place & is_sign[n * every : n * every + size]
    # That there is none, as is usual, is seen faster than where they are.
    return np.flatnonzero(is_place) if is_place.any() else NOWHERE


def _code(hint: str) -> int:
    if len(hint) != HINT_CHARS:
        raise ValueError(f"a hint of {len(hint)} characters: {hint!r}")
    return int.from_bytes(hint.encode("latin-1"), "little")
