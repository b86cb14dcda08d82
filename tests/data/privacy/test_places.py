"""Looking only near a kind's places finds what every pattern tried all over the text would find."""

import sys
from pathlib import Path
from random import Random

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from herd.data import find_pii
from herd.data.privacy.find import (
    GROUP_CHARS,
    Span,
    find_pii_in_each,
    is_private,
    without_overlaps,
)
from herd.data.privacy.kinds import KINDS
from herd.data.privacy.places import Hints, Text, digits_within

BENCHMARKS = Path(__file__).resolve().parents[3] / "benchmarks"


def plain_find_pii(text):
    """The same without places: each pattern everywhere."""
    found = [
        Span(*match.span(kind.group), kind.name)
        for kind in KINDS
        for match in kind.pattern.finditer(text)
        if is_private(kind, text, *match.span(kind.group))
    ]
    return without_overlaps(found)


@pytest.fixture
def pii_set(monkeypatch):
    """The benchmark's made-up items and look-alikes."""
    monkeypatch.syspath_prepend(str(BENCHMARKS))
    from pii_set import carriers, innocent, values

    yield carriers, innocent, values
    for name in [name for name in sys.modules if name.startswith("pii_set")]:
        del sys.modules[name]


def made_up(pii_set, draw):
    carriers, innocent, values = pii_set
    kind = draw.choice(list(values.VALUES))
    item = draw.choice(carriers.carriers(kind, False)).replace("{}", values.VALUES[kind](draw))
    plain = item.replace(values.OPEN, "").replace(values.CLOSE, "")
    return draw.choice([plain, draw.choice(innocent.LOOKALIKES)(draw)])


@pytest.mark.parametrize("seed", range(20))
def test_items_and_lookalikes_are_found_as_by_trying_everything_everywhere(pii_set, seed):
    draw = Random(seed)
    text = draw.choice([" ", "\n", "", "-", "0"]).join(made_up(pii_set, draw) for _ in range(60))
    assert find_pii(text) == plain_find_pii(text)


@pytest.mark.parametrize("seed", range(60))
def test_cut_and_shuffled_pieces_are_found_as_by_trying_everything_everywhere(pii_set, seed):
    draw = Random(seed)
    text = "".join(made_up(pii_set, draw) for _ in range(20))
    cuts = sorted(draw.randrange(len(text)) for _ in range(draw.choice([20, 200])))
    pieces = [text[a:b] for a, b in zip([0, *cuts], [*cuts, len(text)], strict=True)]
    draw.shuffle(pieces)
    for between in ("", " ", "\u0663", "-"):
        mixed = between.join(pieces)
        assert find_pii(mixed) == plain_find_pii(mixed)


FRAGMENTS = [
    *("1", "22", "333", "4111 1111 1111 1111", "12.", "8.8.8.8", "+", "(", ")", " ", "-", ".", ":", "::", "/", "\n"),
    *("a@b.org", "@", "x.y", " at ", "[at]", " dot ", "(dot)", "mail", "AB", "DE89", "3704 0044 0532 0130 00"),
    *("password", "PASSWORD: ", "is ", "hunter22", "https://", "u:p1@", "AKIA", "IOSFODNN7EXAMPLE", "sk-", "hf_"),
    *("eyJ" + "a" * 10, ".eyJ" + "b" * 10, ".", "0x", "52908400098527886E0F7030069857D2E4169EE7", "bc1", "q" * 38),
    *("2a00:1450:4009", "00:1b:44", "-1b-44-11", "1b44.", "tel ", "SSN ", "219 09 9999", "CPF ", "é", "ñ", "“", "😀", "٣"),
    *("1A1zP1eP5QGefi2DMPTfTL5SLmv7DivfNa", "RSSMRA85T10A562S", "X1234567L", "-----BEGIN PRIVATE KEY-----", "\ud800"),
]  # fmt: skip


@settings(max_examples=300, deadline=None)
@given(st.lists(st.sampled_from(FRAGMENTS), max_size=60).map("".join))
def test_any_mixture_is_found_as_by_trying_everything_everywhere(text):
    assert find_pii(text) == plain_find_pii(text)


@settings(max_examples=200, deadline=None)
@given(st.text(st.sampled_from("012 .-+@:/abABxX[]()\n"), max_size=300))
def test_any_text_of_signs_is_found_as_by_trying_everything_everywhere(text):
    assert find_pii(text) == plain_find_pii(text)


@settings(max_examples=200, deadline=None)
@given(st.lists(st.lists(st.sampled_from(FRAGMENTS), max_size=12).map("".join), max_size=12))
def test_texts_gone_through_together_are_found_as_one_by_one(texts):
    assert find_pii_in_each(texts) == [find_pii(text) for text in texts]


def test_long_and_short_texts_are_found_as_one_by_one(pii_set):
    draw = Random(0)
    texts = [made_up(pii_set, draw) for _ in range(300)]
    texts[100] += " word" * GROUP_CHARS + " a.b@mail.org"
    assert find_pii_in_each(texts) == [find_pii(text) for text in texts]


@given(st.text(st.sampled_from("abcAB"), max_size=60))
def test_hints_are_found_wherever_they_stand(text):
    found = Hints(["abc", "aab"], ["cab"]).places(Text(text).data)
    folded = [i for i in range(len(text)) if text[i : i + 3].lower() == "cab"]
    assert found.get("cab", []) == folded
    for hint in ("abc", "aab"):
        assert found.get(hint, []) == [i for i in range(len(text)) if text.startswith(hint, i)]


def test_a_hint_of_another_length_is_refused():
    with pytest.raises(ValueError, match="4 characters"):
        Hints(["four"], [])


@given(st.text(st.sampled_from("12 -"), max_size=40), st.integers(1, 5), st.integers(1, 9))
def test_digits_within_are_where_so_many_follow(text, n_digits, n_chars):
    places = digits_within(n_digits, n_chars)(Text(text)).tolist()
    expected = [
        i
        for i, sign in enumerate(text)
        if sign.isdigit() and sum(c.isdigit() for c in text[i : i + n_chars]) >= n_digits
    ]
    assert places == expected


def test_digits_of_other_scripts_do_no_harm():
    assert find_pii("on 12 34 the ١٢٣٤ ١٢٣٤ ١٢٣٤ ١٢٣٤ came") == []
