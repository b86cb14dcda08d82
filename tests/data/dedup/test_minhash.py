"""Signatures estimate what the sets say; bands find what they promise."""

import numpy as np
import pytest

from herd.data.dedup.minhash import band_keys, likeness, plain_signature, share_a_band, signatures
from herd.data.word_hashes import shingle_hashes, word_hashes

N_PLACES = 192


def jaccard(a, b):
    a, b = set(a.tolist()), set(b.tolist())
    return len(a & b) / len(a | b)


def shingles(text):
    return shingle_hashes(word_hashes(text), 5)


@pytest.mark.parametrize("replaced", [0, 4, 10, 25, 60])
def test_the_estimate_is_within_four_deviations_of_the_sets(near, replaced):
    pairs = [near(500, replaced) for _ in range(20)]
    for one, other in pairs:
        a, b = shingles(one), shingles(other)
        found = signatures([a, b], N_PLACES)
        true = jaccard(a, b)
        deviation = (true * (1 - true) / N_PLACES) ** 0.5
        assert abs(likeness(found[:1], found[1:])[0] - true) <= 4 * deviation + 1e-9


def test_the_library_is_as_good_as_the_definition(near):
    rng = np.random.default_rng(0)
    factors = rng.integers(1, 2**63, N_PLACES, dtype=np.uint64) * 2 + 1
    terms = rng.integers(0, 2**63, N_PLACES, dtype=np.uint64)
    errors, plain_errors = [], []
    for _ in range(60):
        a, b = (shingles(text) for text in near(400, 12))
        true = jaccard(a, b)
        found = signatures([a, b], N_PLACES)
        plain = np.stack([plain_signature(one, factors, terms) for one in (a, b)])
        errors.append(likeness(found[:1], found[1:])[0] - true)
        plain_errors.append(likeness(plain[:1], plain[1:])[0] - true)
    assert np.std(errors) < 1.5 * np.std(plain_errors)
    assert abs(np.mean(errors)) < 0.02


def test_the_same_text_has_the_same_signature_in_any_company(near):
    texts = [shingles(near(100, 0)[0]) for _ in range(5)]
    together = signatures(texts, N_PLACES)
    assert np.array_equal(together, np.concatenate([signatures([t], N_PLACES) for t in texts]))


def test_equal_bands_and_only_they_have_equal_keys():
    rng = np.random.default_rng(0)
    found = rng.integers(1, 3, (200, 8), dtype=np.uint32)
    keys = band_keys(found, 4)
    for band in range(4):
        rows = [tuple(row) for row in found[:, 2 * band : 2 * band + 2].tolist()]
        pairs = set(zip(rows, keys[:, band].tolist(), strict=True))
        assert len(pairs) == len(set(rows)) == len(set(keys[:, band].tolist()))


def test_a_text_without_shingles_has_no_key():
    found = signatures([shingles(""), shingles("some words to tell apart")], N_PLACES)
    assert not band_keys(found, 24)[0].any()
    assert band_keys(found, 24)[1].all()


@pytest.mark.parametrize(
    ("similarity", "chance"), [(0.5, 0.09), (0.6, 0.33), (0.7, 0.76), (0.8, 0.99)]
)
def test_the_chances_are_those_in_the_docstring(similarity, chance):
    assert share_a_band(similarity, 24, 8) == pytest.approx(chance, abs=0.006)
