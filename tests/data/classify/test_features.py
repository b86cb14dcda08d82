"""Words and pairs as sparse rows, against a plain count."""

from collections import Counter

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from herd.data.classify.features import MAX_WORDS, feature_matrix, features
from herd.data.word_hashes import run_hashes, word_hashes


@given(st.lists(st.sampled_from(["a", "b", "ccc", "Ä"]), max_size=30))
def test_values_are_roots_of_counts_of_words_and_pairs(words):
    text = " ".join(words)
    hashes = word_hashes(text)
    counts = Counter((np.concatenate([hashes, run_hashes(hashes, 2)]) >> np.uint64(50)).tolist())
    buckets, values = features(text, 14)
    total = sum(counts.values())
    assert dict(zip(buckets.tolist(), values.tolist(), strict=True)) == pytest.approx(
        {bucket: (count / total) ** 0.5 for bucket, count in counts.items()}
    )
    assert not words or (values**2).sum() == pytest.approx(1.0)


def test_the_matrix_has_a_row_for_each_text_empty_ones_included():
    matrix = feature_matrix(["a b", "", "c"], 10)
    assert matrix.shape == (3, 1024)
    assert np.diff(matrix.indptr).tolist() == [3, 0, 1]


def test_a_long_text_is_read_from_its_beginning():
    start = " ".join(f"w{n}" for n in range(MAX_WORDS))
    one, two = (features(start + tail, 18)[0].tolist() for tail in ("", " more" * 99))
    assert one == two
