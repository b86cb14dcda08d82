"""Scores against grams cut out as words."""

import re

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from herd.data.contamination import example_score
from herd.data.contamination.overlap import (
    covered_words,
    grams_of,
    is_among,
    within_texts,
    words_of,
    words_of_many,
)

WORD = re.compile(r"[0-9a-z]+|[^\x00-\x7f]+")
TEXT = st.lists(st.sampled_from(["a", "b", "Cc", "d,", "“a", "b’s", "\n"]), max_size=40).map(
    " ".join
)


def plain_words(text):
    return WORD.findall(re.sub("[\u2000-\u203f]", " ", text.lower()))


def plain_grams(text, n):
    words = plain_words(text)
    return [tuple(words[i : i + n]) for i in range(len(words) - n + 1)]


def plain_score(text, corpus, n):
    """The definition: the share of words that lie in a gram of some text of the corpus."""
    seen = {gram for one in corpus for gram in plain_grams(one, n)}
    words = plain_words(text)
    marks = [False] * len(words)
    for i, gram in enumerate(plain_grams(text, n)):
        if gram in seen:
            marks[i : i + n] = [True] * n
    return sum(marks) / len(words) if words else 0.0


def score(text, corpus, n):
    seen = np.unique(np.concatenate([grams_of(words_of(one), n) for one in ["", *corpus]]))
    return example_score(text, seen, n)


@given(TEXT, st.lists(TEXT, max_size=4), st.integers(1, 9))
def test_the_score_is_the_papers(text, corpus, n):
    assert score(text, corpus, n) == pytest.approx(plain_score(text, corpus, n))


@given(TEXT, TEXT, TEXT, st.integers(1, 9))
def test_a_text_in_the_corpus_scores_one_and_more_corpus_no_less(text, before, after, n):
    if len(plain_words(text)) >= n:
        assert score(text, [f"{before} {text} {after}"], n) == 1
    assert score(text, [before, after], n) >= score(text, [before], n)


@given(st.sets(st.integers(0, 20)), st.integers(1, 9))
def test_covered_words_are_those_from_each_place_on(places, n):
    found = covered_words(np.array(sorted(places), dtype=np.int64), 30, n)
    wanted = {place + i for place in places for i in range(n)}
    assert set(np.flatnonzero(found).tolist()) == wanted


def test_nothing_seen_is_nothing_among():
    none = np.empty(0, dtype=np.uint64)
    assert not is_among(np.arange(5, dtype=np.uint64), none).any()
    assert is_among(none, np.arange(5, dtype=np.uint64)).size == 0


@pytest.mark.parametrize(
    ("one", "other"),
    [
        ("Janet’s ducks", "janet's DUCKS"),
        ("“so” he said — no", "so he said - no"),
        ("a…b", "a b"),
    ],
)
def test_editions_that_differ_in_quotes_and_dashes_are_one(one, other):
    assert words_of(one).tolist() == words_of(other).tolist()


@pytest.mark.parametrize("text", ["", "too few words", "\ud800", "…"])
def test_a_text_without_a_gram_scores_nothing(text):
    assert score(text, [text], 8) == 0


ANY_TEXT = st.one_of(TEXT, st.text(max_size=30), st.just("ข้อความภาษาไทยที่ยาวพอสมควรและไม่มีช่องว่าง"))


@given(st.lists(ANY_TEXT, max_size=6), st.integers(1, 9))
def test_words_and_grams_of_many_texts_are_those_of_each(texts, n):
    words, offsets = words_of_many(texts)
    alone = [words_of(text) for text in texts]
    assert offsets.tolist() == np.cumsum([0, *(one.size for one in alone)]).tolist()
    assert words.tolist() == [word for one in alone for word in one.tolist()]
    grams = grams_of(words, n)
    inside = within_texts(np.arange(grams.size), offsets, n)
    assert grams[inside].tolist() == [g for one in alone for g in grams_of(one, n).tolist()]
