import hashlib

import pytest
from hypothesis import given
from hypothesis import strategies as st

from herd.data.cleaning import Candidate, choose_held_out
from herd.foundation import UserError


def candidates(n, source="s", n_bytes=100):
    return [
        Candidate(hashlib.sha256(f"{source}{i}".encode()).digest(), n_bytes, source)
        for i in range(n)
    ]


def digests(chosen, among):
    return {among[number].digest for number in chosen}


def test_about_the_asked_share_is_held_out():
    assert 380 < len(choose_held_out(candidates(10_000), 0.04)) < 420


@given(st.permutations(range(40)), st.integers(20, 40))
def test_the_choice_depends_neither_on_order_nor_much_on_company(order, n):
    everyone = candidates(40)
    shuffled = [everyone[i] for i in order]
    assert digests(choose_held_out(shuffled, 0.2), shuffled) == digests(
        choose_held_out(everyone, 0.2), everyone
    )
    fewer = everyone[:n]
    by_hash_alone = {c.digest for c in fewer if int.from_bytes(c.digest[:8], "big") < 0.2 * 2**64}
    assert by_hash_alone <= digests(choose_held_out(fewer, 0.2), fewer)


def test_every_source_gives_something_and_keeps_something():
    among = candidates(2, "few") + candidates(500, "many") + candidates(1, "single")
    chosen = choose_held_out(among, 0.02)
    sources = [among[number].source for number in chosen]
    assert sources.count("few") == 1
    assert sources.count("many") >= 5
    assert sources.count("single") == 0


def test_a_small_document_does_not_stand_for_a_large_source():
    digest = [bytes([i]) * 32 for i in (1, 60, 70, 80)]
    sizes = (10, 1000, 1000, 1000)
    among = [Candidate(d, n, "s") for d, n in zip(digest, sizes, strict=True)]
    assert choose_held_out(among, 0.05) == {0, 1}


def test_nothing_is_held_out_when_nothing_is_asked():
    assert choose_held_out(candidates(9), 0) == set()


def test_a_single_document_cannot_be_split():
    with pytest.raises(UserError, match="one document only"):
        choose_held_out(candidates(1), 0.1)
