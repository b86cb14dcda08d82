"""Words and shingles as hashes, by arithmetic on bytes, against cutting the words out."""

import re

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from herd.data import word_hashes as module
from herd.data.word_hashes import (
    lower_bytes,
    run_hashes,
    shingle_hashes,
    word_hashes,
    word_spans,
)

WORD = re.compile(rb"[0-9a-z\x80-\xff]+")
# Short words: a text whose words are long on average is taken character by character.
PIECE = st.text(st.sampled_from("abcZ09.,-éß“”"), max_size=6)
TEXT = st.lists(st.tuples(PIECE, st.sampled_from(" \n.")), max_size=60).map(
    lambda pairs: "".join(piece + separator for piece, separator in pairs)
)


def plain_words(text):
    """One hash for each word cut out, as numbers in order of first occurrence."""
    return [word.decode() for word in WORD.findall(text.lower().encode())]


@given(TEXT)
def test_equal_words_and_only_they_have_equal_hashes(text):
    words, hashes = plain_words(text), word_hashes(text).tolist()
    assert len(hashes) == len(words)
    assert len(set(zip(words, hashes, strict=True))) == len(set(words)) == len(set(hashes))


@given(TEXT, TEXT)
def test_a_word_has_the_same_hash_wherever_it_stands(before, after):
    alone = word_hashes("needle")[0]
    assert alone in word_hashes(f"{before} needle {after}")


def test_long_texts_are_hashed_block_by_block_to_the_same(monkeypatch):
    text = "some words of a longer text " * 40
    whole = word_hashes(text)
    monkeypatch.setattr(module, "BLOCK_BYTES", 64)
    assert np.array_equal(word_hashes(text), whole)


@given(st.lists(st.integers(0, 3), max_size=40), st.integers(1, 6))
def test_equal_runs_and_only_they_have_equal_shingles(numbers, n_words):
    words = np.array([0x9E3779B97F4A7C15 * (n + 1) % 2**64 for n in numbers], dtype=np.uint64)
    n = min(n_words, len(numbers))
    runs = [tuple(numbers[i : i + n]) for i in range(len(numbers) - n + 1)] if numbers else []
    hashes = shingle_hashes(words, n_words).tolist()
    assert len(hashes) == len(runs)
    assert len(set(zip(runs, hashes, strict=True))) == len(set(runs)) == len(set(hashes))


def test_a_language_without_spaces_is_taken_by_characters():
    text = "ข้อความภาษาไทยที่ยาวพอสมควรและไม่มีช่องว่างระหว่างคำเลยแม้แต่น้อย"
    assert word_hashes(text).size == len(text)


@pytest.mark.parametrize("text", ["", " ", "...", "\0"])
def test_a_text_without_words_has_no_hashes(text):
    assert word_hashes(text).size == 0
    assert shingle_hashes(word_hashes(text), 5).size == 0


@given(st.text(max_size=40), st.integers(0, 40))
def test_lower_bytes_are_those_of_the_lowered_text(text, n_ascii):
    whole = text + "Abc Z" * n_ascii
    assert lower_bytes(whole) == whole.lower().encode("utf-8", "surrogatepass")


@pytest.mark.parametrize(
    "text", ["\u0130 abc DEF " * 9, "\u03a3\u0391\u03a3 " + "a" * 99, "\ud800 A" * 9]
)
def test_letters_whose_lower_case_is_longer_or_depends_on_neighbours_are_lowered(text):
    for whole in (text, text + "plain words " * 30):
        assert lower_bytes(whole) == whole.lower().encode("utf-8", "surrogatepass")


@given(TEXT)
def test_spans_cut_the_words_out(text):
    data = lower_bytes(text)
    starts, ends = word_spans(np.frombuffer(data, dtype=np.uint8))
    found = [data[a:b].decode() for a, b in zip(starts.tolist(), ends.tolist(), strict=True)]
    assert found == plain_words(text)


@given(st.lists(st.integers(0, 3), max_size=60), st.integers(1, 20))
def test_equal_runs_and_only_they_have_equal_hashes(numbers, n_words):
    words = np.array([0x9E3779B97F4A7C15 * (n + 1) % 2**64 for n in numbers], dtype=np.uint64)
    runs = [tuple(numbers[i : i + n_words]) for i in range(len(numbers) - n_words + 1)]
    hashes = run_hashes(words, n_words).tolist()
    assert len(hashes) == len(runs)
    assert len(set(zip(runs, hashes, strict=True))) == len(set(runs)) == len(set(hashes))
