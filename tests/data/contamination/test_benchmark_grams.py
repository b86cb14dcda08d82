"""Grams found by bits and by hash, against sets."""

import random

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from herd.data.contamination import BenchmarkGrams, Example
from herd.data.contamination.overlap import covered_words, grams_of, words_of
from herd.foundation import UserError

TEXT = st.lists(st.sampled_from("abcd"), max_size=25).map(" ".join)


def of(texts_by_benchmark, n):
    examples = [
        Example(name, str(i), text)
        for name, texts in texts_by_benchmark.items()
        for i, text in enumerate(texts)
    ]
    return BenchmarkGrams.of(examples, n)


def plain_covered(text, texts, n):
    words = text.split()
    runs = [words[i : i + n] for i in range(len(words) - n + 1)]
    known = [one.split()[i : i + n] for one in texts for i in range(len(one.split()) - n + 1)]
    marks = [False] * len(words)
    for i, run in enumerate(runs):
        if run in known:
            marks[i : i + n] = [True] * n
    return sum(marks)


@given(TEXT, st.lists(TEXT, min_size=1, max_size=4), st.lists(TEXT, min_size=1, max_size=4))
@settings(max_examples=200)
def test_words_are_counted_by_benchmark_and_once_in_all(text, one, other):
    grams = of({"one": one, "other": other}, 3)
    found = grams.overlap(text)
    wanted = {0: plain_covered(text, one, 3), 1: plain_covered(text, other, 3)}
    assert found.by_benchmark == {number: n for number, n in wanted.items() if n}
    assert found.n_covered == plain_covered(text, one + other, 3)
    assert found.n_words == len(text.split())
    assert 0 <= found.share <= 1


def test_of_many_grams_all_are_found_and_no_others():
    dice = random.Random(0)
    words = [f"w{i}" for i in range(500)]
    texts = [" ".join(dice.choices(words, k=40)) for _ in range(300)]
    grams = of({"b": texts}, 4)
    known = set(grams.hashes.tolist())
    inside = np.concatenate([grams_of(words_of(text), 4) for text in texts])
    outside = np.random.default_rng(0).integers(0, 2**64, 200_000, dtype=np.uint64)
    mixed = np.concatenate([inside, outside])
    places, where = grams.find(mixed)
    assert places.tolist() == [i for i, gram in enumerate(mixed.tolist()) if gram in known]
    assert np.array_equal(grams.hashes[where], mixed[places])


def test_the_places_of_grams_met_are_told_once():
    grams = of({"b": ["a b c d"]}, 2)
    found = grams.overlap("a b x a b x c d")
    assert found.places.size == 2
    assert found.n_covered == 6


@pytest.mark.parametrize("texts", [{}, {"b": ["too short"]}])
def test_benchmarks_without_a_gram_find_nothing(texts):
    grams = of(texts, 8)
    found = grams.overlap("some words that are long enough to have an eight-gram or two")
    assert (found.n_covered, found.by_benchmark, found.share) == (0, {}, 0)
    assert grams.overlap("").share == 0
    assert covered_words(found.places, 5, 8).sum() == 0


def test_a_gram_of_no_words_is_refused():
    with pytest.raises(UserError, match="n_words"):
        BenchmarkGrams.of([], 0)


@given(st.lists(TEXT, max_size=6), st.lists(TEXT, min_size=1, max_size=4))
def test_texts_together_share_what_each_shares_alone(texts, examples):
    grams = of({"b": examples}, 3)
    together = [(o.n_words, o.n_covered, o.by_benchmark) for o in grams.overlaps(texts)]
    alone = [grams.overlap(text) for text in texts]
    assert together == [(o.n_words, o.n_covered, o.by_benchmark) for o in alone]
