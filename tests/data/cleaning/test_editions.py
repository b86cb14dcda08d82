import random

import numpy as np
import pytest

from herd.data.cleaning import choose_editions, sketch
from herd.data.cleaning.editions import MIN_CONTAINED, RUN_WORDS, WORD, skeleton

LETTERS = "abcdefghilmnoprstu"


def make_words(n, seed):
    """A text of words that follow Zipf's law, as real ones do."""
    rng = random.Random(seed)
    words = ["".join(rng.choices(LETTERS, k=rng.randint(2, 8))) for _ in range(3000)]
    return rng.choices(words, [1 / (i + 1) for i in range(3000)], k=n)


def respell(words, seed):
    """As a printer of 1623 would: final e, i and y at will, doubled letters, and a slip now and then."""
    rng = random.Random(seed)

    def one(word):
        word = word.replace("i", rng.choice("iy")) + rng.choice(["", "e"])
        letter = rng.choice(word)
        word = word.replace(letter, letter * 2, 1)
        return "slip" if rng.random() < 0.03 else word.capitalize()

    return [one(word) for word in words]


@pytest.mark.parametrize(
    ("old", "new"),
    [("releefe", "relief"), ("musicke", "music"), ("haue", "have"), ("vpon", "upon"),
     ("againe", "again"), ("beleeve", "believe"), ("Iulius", "Julius")],
)  # fmt: skip
def test_old_and_new_spelling_have_one_skeleton(old, new):
    assert skeleton(old.lower()) == skeleton(new.lower())


def test_another_edition_is_found_and_the_longer_kept():
    words = make_words(4000, seed=1)
    texts = [" ".join(respell(words, 2)[:3500]), " ".join(words), " ".join(make_words(4000, 3))]
    dropped = choose_editions([sketch(text) for text in texts])
    assert list(dropped) == [0]
    kept, share = dropped[0]
    assert kept == 1
    assert share > 0.6


def test_a_work_inside_a_collection_is_found():
    poem, other = make_words(2000, 1), make_words(20_000, 2)
    texts = [" ".join(other[:9000] + poem + other[9000:]), " ".join(poem)]
    assert list(choose_editions([sketch(text) for text in texts])) == [1]


def test_works_of_one_writer_are_not_taken_for_editions():
    vocabulary = make_words(3000, 1)
    rng = random.Random(5)
    texts = [" ".join(rng.choices(vocabulary, k=5000)) for _ in range(6)]
    assert choose_editions([sketch(text) for text in texts]) == {}


def test_only_one_of_three_editions_stays_and_none_is_dropped_for_a_dropped_one():
    words = make_words(4000, seed=1)
    texts = [" ".join(words[:n]) for n in (3000, 4000, 3500)]
    dropped = choose_editions([sketch(text) for text in texts])
    assert {text: kept for text, (kept, _) in dropped.items()} == {0: 1, 2: 1}


def test_short_texts_are_not_judged():
    text = "to be or not to be that is the question " * 3
    assert choose_editions([sketch(text), sketch(text)]) == {}


def test_the_sampled_share_estimates_the_true_one():
    words = make_words(20_000, seed=1)
    left, right = words[:12_000], words[6_000:18_000]
    true = len(runs_of(left) & runs_of(right)) / len(runs_of(left))
    a, b = sketch(" ".join(left)).runs, sketch(" ".join(right)).runs
    estimate = len(np.intersect1d(a, b)) / len(a)
    assert estimate == pytest.approx(true, abs=0.04)
    assert true > MIN_CONTAINED


def runs_of(words):
    bones = [b for word in words for w in WORD.findall(word) if (b := skeleton(w))]
    return {tuple(bones[i : i + RUN_WORDS]) for i in range(len(bones) - RUN_WORDS + 1)}


def test_sketches_are_the_same_in_every_process():
    import subprocess
    import sys

    code = (
        "from herd.data.cleaning import sketch\n"
        "print(sketch(' '.join(f'word{chr(97 + i % 26)} thing' for i in range(300))).runs.sum())"
    )
    command = [sys.executable, "-c", code]
    environments = [{"PYTHONHASHSEED": seed} for seed in ("1", "2")]
    sums = {subprocess.check_output(command, env=env, text=True) for env in environments}
    assert len(sums) == 1
