"""The split as a stage: the same as the rule, in any parts."""

import hashlib

import pytest

from herd.data import Document, HeldOutStage
from herd.data.cleaning import Candidate, choose_held_out
from herd.foundation import UserError

DOCUMENTS = [
    Document(text=f"text {n} " * (n % 9 + 1), source=f"s{n % 2}", name=f"d{n}", meta={"a": "b"})
    for n in range(100)
]


@pytest.mark.parametrize("size", [100, 30, 7])
def test_documents_are_marked_by_the_rule(tmp_path, memory_surveys, size):
    parts = [DOCUMENTS[i : i + size] for i in range(0, 100, size)] + [[]]
    stage = HeldOutStage(fraction=0.1)
    counts = stage.rule(memory_surveys(parts, stage), tmp_path, 1 << 30)
    marked = [
        one for n, part in enumerate(parts) for one in stage.open(tmp_path, n)(part, 0).documents
    ]
    candidates = [
        Candidate(hashlib.sha256(d.text.strip().encode()).digest(), len(d.text), d.source)
        for d in DOCUMENTS
    ]
    chosen = choose_held_out(candidates, 0.1)
    assert {n for n, one in enumerate(marked) if one.meta["split"] == "held_out"} == chosen
    assert all(one.meta["a"] == "b" for one in marked)
    assert counts["held out"] == len(chosen)


def test_a_share_that_is_none_is_refused():
    with pytest.raises(UserError, match=r"held_out\.fraction"):
        HeldOutStage(fraction=0.9)
