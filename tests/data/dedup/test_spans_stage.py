"""Repetition inside a document, against words and by what stays the same."""

import re

import numpy as np
import pytest
from hypothesis import assume, given
from hypothesis import strategies as st

from herd.data import Document
from herd.data.dedup import SpanDedup
from herd.data.dedup.spans_stage import without_repeats
from herd.data.word_hashes import span_hashes, word_spans
from herd.foundation import UserError

WORD = re.compile(rb"[0-9a-z\x80-\xff]+")
PIECE = st.text(st.sampled_from("abcA.,“é \n"), min_size=1, max_size=8)
TEXT = st.lists(
    st.one_of(PIECE, st.tuples(st.integers(0, 30), st.integers(5, 60))), max_size=12
).map(lambda plan: said(plan))
ANY_TEXT = st.lists(
    st.one_of(st.text(max_size=9), st.tuples(st.integers(0, 30), st.integers(5, 60))), max_size=12
).map(lambda plan: said(plan))


def said(plan):
    """A text that says stretches of itself again."""
    text = ""
    for one in plan:
        text += text[one[0] : one[0] + one[1]] if isinstance(one, tuple) else one
    return text


def words(text):
    return WORD.findall(text.encode("utf-8", "surrogatepass").lower())


def is_taken_by_words(text):
    """A text whose words are long on average is taken by characters, of which more may repeat."""
    return len(text.encode("utf-8", "surrogatepass")) <= 24 * len(words(text))


def run(text, min_words=5, **fields):
    document = Document(text=text, source="s", name="d", **fields)
    return SpanDedup(min_words=min_words).open()([document])


def paragraph(letter, n=6):
    return " ".join(f"{letter}{i}" for i in range(n)) + "."


P, Q, R = (paragraph(letter) for letter in "pqr")


@given(ANY_TEXT, st.integers(2, 6))
def test_a_second_time_nothing_changes(text, min_words):
    once = without_repeats(text, min_words)
    twice = without_repeats(once.text, min_words)
    assert (twice.text, twice.n_spans) == (once.text, 0)


@given(TEXT, st.integers(2, 6))
def test_every_word_left_is_a_whole_word_of_the_text_in_its_order(text, min_words):
    assume(is_taken_by_words(text))
    found = without_repeats(text, min_words)
    rest = iter(words(text))
    assert all(word in rest for word in words(found.text))
    if found.n_spans:
        assert len(words(text)) - len(words(found.text)) == found.n_removed
        assert len(words(text)) == found.n_words


@given(ANY_TEXT, st.integers(2, 6))
def test_a_text_that_repeats_no_run_is_left_byte_for_byte(text, min_words):
    found = without_repeats(text, min_words)
    if not found.n_spans:
        assert found.text is text
    all_words = words(text)
    runs = [tuple(all_words[i : i + min_words]) for i in range(len(all_words) - min_words + 1)]
    if is_taken_by_words(text) and len(set(runs)) == len(runs):
        assert found.n_spans == 0


@pytest.mark.parametrize(
    ("text", "wanted"),
    [
        (f"{P}\n\n{Q}\n\n{P}\n\n{R}\n", f"{P}\n\n{Q}\n\n{R}\n"),
        (f"{P}\n\n{Q}\n\n{P}\n", f"{P}\n\n{Q}\n"),
        (f"{P}\n\n{Q}\n\n{P}", f"{P}\n\n{Q}"),
        (f"{P}\n{Q}\n{P}\n\n{R}", f"{P}\n{Q}\n\n{R}"),
        (f"{P} {Q} {P} {R}", f"{P} {Q} {R}"),
        (f"{P}\n\nso, {P}\n\n{R}", f"{P}\n\nso,\n\n{R}"),
        (f'{P}\n\n# {P}\n\n- "{R}', f'{P}\n\n- "{R}'),
        (f"{P}\n\n{P} more (of it)", f"{P}\n\nmore (of it)"),
        (f"{P}\n\n{P.upper()}\n\n{R}", f"{P}\n\n{R}"),
        (f"{P}\n\n{P[:-1].replace(' ', ', ')}!\n\n{R}", f"{P}\n\n{R}"),
        (f"a-b-c-d-e-f-{'a-b-c-d-e-f-'}x", "a-b-c-d-e-f-x"),
        (f"{P} tail " * 40, f"{P} tail "),
    ],
)
def test_what_goes_leaves_no_hole(text, wanted):
    assert run(text).documents[0].text == wanted


def test_the_decision_says_how_much_went():
    outcome = run(f"{P}\n\n{Q}\n\n{P}\n\n{R}\n\n{P}\n\n{Q[:-1]} end")
    assert outcome.decisions[0].reason == "repeated spans removed"
    assert outcome.decisions[0].detail == "2 spans, 18 of 37 words"
    assert outcome.counts == {"spans": 2, "words": 18}


def test_runs_that_meet_where_one_went_are_found_too():
    whole = " ".join([paragraph("x", 4)[:-1], paragraph("y", 4)[:-1]])
    head, tail = whole.split(" y0")[0], "y0" + whole.split(" y0")[1]
    outcome = run(f"{whole} . {P} . {head} {P} {tail} end", 6)
    assert outcome.documents[0].text == f"{whole} . {P} . end"


def test_a_shorter_run_stays():
    text = f"{P}\n\n{Q}\n\n{P}"
    assert run(text, 7).documents[0].text == text
    assert run(text, 7).decisions == []


def test_code_is_left_alone():
    assert run(f"{P}\n{P}", kind="code").documents[0].text == f"{P}\n{P}"


def test_a_language_without_spaces_is_cut_between_characters():
    sentence = "ข้อความภาษาไทยที่ยาวพอสมควรและไม่มีช่องว่างระหว่างคำเลย"
    other = "อีกประโยคหนึ่งซึ่งไม่เหมือนกัน"
    assert run(sentence + other + sentence, 20).documents[0].text == sentence + other


@pytest.mark.parametrize("unit", ["a ", "a b ", "a b c ", "ก", "\ud800 x ", "é\n"])
def test_one_thing_a_hundred_thousand_times_is_said_once(unit):
    found = without_repeats(unit * 100_000, 50)
    assert len(words(found.text)) <= 100 and found.n_spans == 1


def test_words_of_one_hash_are_told_apart():
    """Thue-Morse words collide under any polynomial modulo 2^64."""
    bits = "".join("ab"[n.bit_count() % 2] for n in range(2048))
    one, other = bits, bits.translate(str.maketrans("ab", "ba"))
    filler = [f"s{n}" for n in range(600)]  # short words, so that the text is taken by words
    text = " ".join([one, "x y z w", *filler, other, "x y z w"])
    data = np.frombuffer(text.encode(), dtype=np.uint8)
    hashes = span_hashes(data, *word_spans(data))
    assert hashes.size == 610 and hashes[0] == hashes[-5]
    assert without_repeats(text, 5).text is text


def test_a_run_of_one_word_is_refused():
    with pytest.raises(UserError, match=r"spans\.min_words"):
        SpanDedup(min_words=1)
