"""The split as a stage: the same as the rule, in any parts."""

import hashlib
import tempfile
from pathlib import Path

import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

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


@settings(suppress_health_check=[HealthCheck.function_scoped_fixture])  # it gives a class
@given(
    st.lists(st.tuples(st.integers(0, 3), st.integers(1, 2000)), min_size=1, max_size=60),
    st.sampled_from([0.0, 0.01, 0.05, 0.3, 0.5]),
    st.integers(1, 20),
)
def test_large_and_small_sources_are_split_by_the_one_rule(memory_surveys, rows, fraction, size):
    documents = [
        Document(text=f"{number} " + "x" * n_chars, source=f"s{source}", name=f"d{number}")
        for number, (source, n_chars) in enumerate(rows)
    ]
    parts = [documents[i : i + size] for i in range(0, len(documents), size)]
    stage = HeldOutStage(fraction=fraction)
    candidates = [
        Candidate(hashlib.sha256(d.text.strip().encode()).digest(), len(d.text), d.source)
        for d in documents
    ]
    with tempfile.TemporaryDirectory() as folder:
        ruling = Path(folder)
        try:
            chosen = choose_held_out(candidates, fraction)
        except UserError:
            with pytest.raises(UserError, match="one document only"):
                stage.rule(memory_surveys(parts, stage), ruling, 1 << 30)
            return
        stage.rule(memory_surveys(parts, stage), ruling, 1 << 30)
        marks = [bool(m) for n in range(len(parts)) for m in np.load(ruling / f"{n}.npy")]
    assert {number for number, mark in enumerate(marks) if mark} == chosen
