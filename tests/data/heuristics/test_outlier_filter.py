"""Documents unlike the corpus."""

import math
import random
from collections import Counter

import numpy as np
import pytest

from herd.data import Document, OutlierFilter
from herd.data.heuristics.outlier_filter import divergence_nats
from herd.data.heuristics.token_counts import N_BUCKETS, bucket_counts, corpus_counts
from herd.foundation import UserError


def corpus(n=300):
    dice = random.Random(0)
    usual = [f"w{i}" for i in range(400)]
    weights = [1 / (i + 1) for i in range(400)]
    texts = [" ".join(dice.choices(usual, weights, k=dice.randrange(80, 500))) for _ in range(n)]
    odd = [" ".join(f"{dice.getrandbits(60):x}q" for _ in range(300)) for _ in range(3)]
    documents = [
        Document(text=t, source="s", name=f"d{i}", language="en") for i, t in enumerate(texts)
    ]
    return documents + [
        Document(text=t, source="s", name=f"odd{i}", language="en") for i, t in enumerate(odd)
    ]


@pytest.fixture
def apply(tmp_path, memory_surveys):
    return lambda documents, n_parts: gone(documents, n_parts, tmp_path, memory_surveys)


def gone(documents, n_parts, ruling, memory_surveys):
    stage = OutlierFilter()
    parts = [documents[i::n_parts] for i in range(n_parts)]
    surveys = memory_surveys(parts, stage)
    stage.rule(surveys, ruling, 1 << 30)
    outcomes = [stage.open(ruling, i)(part, 0) for i, part in enumerate(parts)]
    return sorted(d.document for outcome in outcomes for d in outcome.decisions)


@pytest.mark.parametrize("n_parts", [1, 4])
def test_texts_of_other_words_go_and_the_usual_stay(apply, n_parts):
    assert apply(corpus(), n_parts) == ["odd0", "odd1", "odd2"]


def test_a_corpus_too_small_to_say_what_is_usual_is_left_alone(apply):
    assert apply(corpus(5), 1) == []


def test_the_divergence_is_the_formulas():
    corpus_text, text = "a b b c c c d d d d", "a a b c"
    log_p = np.full(N_BUCKETS, -50.0)
    counts = Counter(corpus_text.split())
    for word, count in counts.items():
        log_p[bucket_counts(word)[0][0]] = math.log(count / 10)
    own = {"a": 0.5, "b": 0.25, "c": 0.25}
    expected = sum(p * math.log(p / (counts[word] / 10)) for word, p in own.items())
    assert divergence_nats(*bucket_counts(text), log_p) == pytest.approx(expected)


def test_a_text_spread_as_the_corpus_is_has_no_divergence():
    buckets, counts = bucket_counts("x y z x")
    log_p = np.full(N_BUCKETS, -50.0)
    log_p[buckets] = np.log(counts / counts.sum())
    assert divergence_nats(buckets, counts, log_p) == pytest.approx(0)


def test_counts_of_parts_add_up_to_the_corpus(memory_surveys):
    documents = corpus(40)
    whole = corpus_counts(memory_surveys([documents], OutlierFilter()))
    parts = corpus_counts(memory_surveys([documents[:7], [], documents[7:]], OutlierFilter()))
    assert whole.keys() == parts.keys() == {"en"}
    assert np.array_equal(whole["en"], parts["en"])


@pytest.mark.parametrize("wrong", [{"max_deviations": 0.5}, {"smoothing": 0.0}])
def test_settings_that_drop_half_of_everything_are_refused(wrong):
    with pytest.raises(UserError, match="outliers"):
        OutlierFilter(**wrong)
