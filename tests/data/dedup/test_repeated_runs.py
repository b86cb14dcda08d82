"""The words that stay, against a stack that compares everything with everything."""

import numpy as np
from hypothesis import given, settings
from hypothesis import strategies as st

from herd.data.dedup.repeated_runs import may_repeat, words_that_stay

# Few words and long stretches said again, so that runs meet, overlap and lie within each other.
STRETCH = st.lists(st.integers(0, 3), min_size=1, max_size=12)
PLAN = st.lists(st.one_of(STRETCH, st.tuples(st.integers(0, 40), st.integers(1, 25))), max_size=8)


def said(plan):
    words = []
    for one in plan:
        words += words[one[0] : one[0] + one[1]] if isinstance(one, tuple) else one
    return words


def plain_stays(words, n):
    """The definition, without a hash."""
    stack, source, begin = [], None, 0
    for place, word in enumerate(words):
        if source is not None:
            if source == len(stack):
                source = begin
            if words[stack[source]] == word:
                source += 1
                continue
            source = None
        stack.append(place)
        kept = [words[at] for at in stack]
        for j in range(len(kept) - 2 * n + 1):
            if kept[j : j + n] == kept[-n:]:
                del stack[-n:]
                begin, source = j, j + n
                break
    return stack


def fast_stays(words, n):
    texts = [b"%d" % word for word in words]
    return np.flatnonzero(words_that_stay(texts, [word * 7919 + 1 for word in words], n)).tolist()


@given(PLAN, st.integers(2, 6))
def test_the_words_that_stay_are_those_of_the_definition(plan, n):
    words = said(plan)
    assert fast_stays(words, n) == plain_stays(words, n)


@given(PLAN, st.integers(2, 6))
def test_what_stays_holds_no_run_twice_and_loses_no_run(plan, n):
    words = said(plan)
    stays = fast_stays(words, n)
    kept = [words[at] for at in stays]
    runs = [tuple(kept[i : i + n]) for i in range(len(kept) - n + 1)]
    for i, run in enumerate(runs):
        assert run not in runs[: max(i - n + 1, 0)]
    assert fast_stays(kept, n) == list(range(len(kept)))
    assert set(kept) == set(words)  # a word's first occurrence stays


@given(PLAN, st.integers(2, 6))
def test_what_surely_repeats_nothing_is_told_without_a_stack(plan, n):
    words = said(plan)
    hashes = np.array([0x9E3779B97F4A7C15 * (w + 1) % 2**64 for w in words], dtype=np.uint64)
    if not may_repeat(hashes, n):
        assert fast_stays(words, n) == list(range(len(words)))


@given(st.integers(1, 400), st.integers(1, 12), st.integers(2, 12))
@settings(max_examples=50)
def test_of_a_period_said_over_and_over_little_more_than_a_run_stays(n_words, period, n):
    words = [place % period for place in range(n_words)]
    assert len(fast_stays(words, n)) <= 2 * n - 1 + period


def test_equal_hashes_of_other_words_take_nothing_out():
    words = [b"%d" % n for n in range(40)]
    assert words_that_stay(words, [7] * 40, 5).all()
