"""Rules of thumb, each against plain Python, and by its reason."""

from collections import Counter

import pytest
from hypothesis import given
from hypothesis import strategies as st

from herd.data import CodeRule, Document, HeuristicFilter, LengthRule, PageRule, RepetitionRule
from herd.data.heuristics.stop_words import STOP_WORDS, count_stop_words
from herd.data.heuristics.text_statistics import TextStatistics, repeated_fractions
from herd.data.word_hashes import word_hashes

WORDS = st.lists(st.sampled_from(["a", "bb", "Ccc", "7", "d9", "é", "..."]), max_size=80)


@given(WORDS, st.sampled_from([" ", "\n", " \t "]))
def test_words_are_what_blank_space_separates(words, space):
    text = TextStatistics(space.join(words))
    assert text.n_words == len(words)
    if words:
        assert text.mean_word_chars == pytest.approx(sum(map(len, words)) / len(words))
        with_letters = sum(any(c.isalpha() for c in word) or not word.isascii() for word in words)
        assert text.alphabetic_fraction == pytest.approx(with_letters / len(words))


@given(WORDS)
def test_ratios_are_those_of_the_characters(words):
    text = " ".join(words)
    found = TextStatistics(text)
    solid = len(text.replace(" ", "").encode())
    assert found.digit_fraction == pytest.approx(sum(c.isdigit() for c in text) / max(solid, 1))
    letters = [c for c in text if c.isascii() and c.isalpha()]
    capitals = sum(c.isupper() for c in letters)
    assert found.capital_fraction == pytest.approx(capitals / max(len(letters), 1))


NUMBERS = st.lists(st.integers(0, 4), max_size=60)


@given(NUMBERS, st.integers(2, 10))
def test_repeated_runs_are_counted_as_by_hand(numbers, n_words):
    words = [f"w{number}" for number in numbers]
    text = TextStatistics(" ".join(words))
    seen, covered = set(), [False] * len(words)
    runs = Counter()
    for i in range(len(words) - n_words + 1):
        run = tuple(words[i : i + n_words])
        runs[run] += 1
        if run in seen:
            covered[i : i + n_words] = [True] * n_words
        seen.add(run)
    enough = len(words) > n_words
    share = sum(covered) / len(words) if enough else 0.0
    assert text.duplicate_fraction(n_words) == pytest.approx(share)
    assert text.most_duplicate_fraction(n_words) >= share - 1e-12
    most = max(runs.values(), default=0)
    top = most * n_words / len(words) if enough and most > 1 else 0.0
    assert text.top_run_fraction(n_words) == pytest.approx(top)


@given(NUMBERS)
def test_longer_runs_are_never_repeated_more(numbers):
    text = TextStatistics(" ".join(f"w{number}" for number in numbers))
    shares = [text.duplicate_fraction(n) for n in range(3, 11)]
    assert all(a >= b - 1e-12 for a, b in zip(shares, shares[1:], strict=False) if b)


@given(NUMBERS)
def test_the_short_cut_of_the_rule_decides_as_all_its_bounds_do(numbers):
    text = TextStatistics(" ".join(f"w{number}" for number in numbers))
    rule = RepetitionRule(max_lines=1, max_line_chars=1, max_paragraphs=1, max_paragraph_chars=1)
    broken = any(
        text.top_run_fraction(n) > most for n, most in enumerate(rule.max_top_runs, start=2)
    ) or any(
        text.duplicate_fraction(n) > most for n, most in enumerate(rule.max_duplicate_runs, start=5)
    )
    assert bool(list(rule.broken(text))) == broken


@given(st.lists(st.sampled_from(["a", "bb", "ccc"]), max_size=20))
def test_repeated_lines_are_counted_after_the_first(lines):
    again = [line for i, line in enumerate(lines) if line in lines[:i]]
    total = sum(map(len, lines))
    assert repeated_fractions(lines) == (
        pytest.approx(len(again) / max(len(lines), 1)),
        pytest.approx(sum(map(len, again)) / max(total, 1)),
    )


PROSE = (
    "When the fair had ended and the tents were down, my uncle walked home across the common with a "
    "goose under each arm. It rained, of course; it had rained every autumn since anyone could remember, "
    "and nobody thought that a reason for staying indoors. At the gate he met the miller's daughter, who "
    "asked what the birds had cost. He would not say. They spoke about harvest prices, about a cousin "
    "lost at sea, and about whether old Tom's dog could really count to nine."
)
SENTENCE = "The {n} of the hills runs to the sea and it is {m} miles from that town by the road. "
GOOD = "".join(SENTENCE.format(n=f"river{n}x", m=f"word{n * n}y") for n in range(12)).replace(
    "x", ""
)
BAD = {
    "too few words": "The river of the hills.",
    "words too short": "a b c d of the be to it is " * 10,
    "words too long": "internationalisation the of counterrevolutionaries " * 20,
    "stop words": "river mountain valley meadow forest lake stream pond brook hill " * 8,
    "symbol ratio": GOOD.replace(" the ", " # the # "),
    "digit ratio": GOOD + " 1234567890" * 60,
    "capital ratio": GOOD.upper(),
    "bullet lines": "\n".join(
        f"- number{c} gone from the old list that they made" for c in "abcdefghijkl"
    ),
    "ellipsis lines": "\n".join(
        f"story{c} tells how the old sailor went home to his wife and the sea and the ship and..."
        for c in "abcdefghijkl"
    ),
    "repeated lines": "\n".join(["the same line of the text and that is it"] * 12),
    "repeated runs of words": f"{PROSE} And now the same again, word by word. {PROSE}",
}


@pytest.mark.parametrize("reason", BAD)
def test_what_breaks_a_rule_goes_with_its_reason(reason):
    outcome = HeuristicFilter().open()([Document(text=BAD[reason], source="s", name="d")])
    assert [d.reason for d in outcome.decisions] == [reason]


def test_good_prose_stays():
    outcome = HeuristicFilter().open()([Document(text=PROSE, source="s", name="d")])
    assert len(outcome.documents) == 1


def test_a_rule_can_be_switched_off():
    document = Document(text="too short", source="s", name="d")
    assert not HeuristicFilter().open()([document]).documents
    off = HeuristicFilter(length=None, stop_words=None, repetition=None)
    assert off.open()([document]).documents


def test_thai_is_not_judged_by_spaces():
    text = "ภาษาไทยเป็นภาษาที่มีระดับเสียงของคำแน่นอนหรือวรรณยุกต์เช่นเดียวกับภาษาจีน"
    document = Document(text=text, source="s", name="d", language="th")
    assert HeuristicFilter().open()([document]).documents


@pytest.mark.parametrize("language", STOP_WORDS)
def test_stop_words_of_a_language_are_found_in_it(language):
    words = STOP_WORDS[language].split()
    assert count_stop_words(word_hashes(" und ".join(words[:6])), language) >= 5
    assert count_stop_words(word_hashes("zzz qqq"), language) == 0
    assert count_stop_words(word_hashes("zzz"), "xx") is None


@pytest.mark.parametrize(
    ("text", "reason"),
    [
        ("x = 1\n" * 5, None),
        ("x" * 2000, "long lines"),
        ("# do not edit\nx = 1\n", "generated file"),
        ("{}[]();\n" * 20, "alphanumeric ratio"),
        (("a = " + "1, " * 60 + "\n") * 5, "long lines on average"),
    ],
)
def test_code_has_rules_of_its_own(text, reason):
    broken = next(CodeRule().broken(TextStatistics(text)), (None,))
    assert broken[0] == reason


@pytest.mark.parametrize(
    ("text", "reason"),
    [
        ("Lorem ipsum dolor sit amet and more.", "lorem ipsum"),
        ("Please enable JavaScript.\nIt is a line that is long enough to pass.", "javascript"),
        ("{ {a} {b} " * 20, "curly braces"),
        ("no end here is a long line of words\n" * 3, "lines without an end"),
        ("Short.\n" * 9, "short lines"),
    ],
)
def test_signs_of_a_page_are_named(text, reason):
    assert next(PageRule().broken(TextStatistics(text)))[0] == reason


@pytest.mark.parametrize("text", ["", "\0", " ", "a" * 1_000_000, "\n" * 100_000, "\ud800"])
def test_any_text_is_judged(text):
    for kind in ("prose", "code"):
        outcome = HeuristicFilter().open()([Document(text=text, source="s", name="d", kind=kind)])
        assert len(outcome.documents) + len(outcome.decisions) == 1


def test_bounds_are_inclusive():
    exactly = " ".join(["word"] * 50)
    assert not list(LengthRule().broken(TextStatistics(exactly)))
