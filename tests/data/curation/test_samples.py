"""Samples that depend on names alone."""

import pytest

from herd.data import Document
from herd.data.curation.samples import EXCERPT_CHARS, SAMPLES_EACH, Samples
from herd.data.stage import Outcome


@pytest.mark.parametrize("batch_size", [1, 7, 100])
@pytest.mark.parametrize("backwards", [False, True])
def test_the_same_few_are_drawn_however_documents_come(
    make_documents, drop_word, batch_size, backwards
):
    documents, transform = make_documents(100), drop_word(word="1", loud="2").open()
    whole = Samples()
    whole.note("word", documents, transform(documents))
    batches = [documents[i : i + batch_size] for i in range(0, 100, batch_size)]
    merged = Samples()
    for batch in reversed(batches) if backwards else batches:
        part = Samples()
        part.note("word", batch, transform(batch))
        merged.add_json(part.to_json())
    assert merged.to_json() == whole.to_json()
    keys = [(row["action"], row["reason"]) for row in whole.to_json()]
    assert {key: keys.count(key) for key in keys} == {
        ("changed", "made louder"): SAMPLES_EACH,
        ("dropped", "word"): SAMPLES_EACH,
        ("kept", ""): SAMPLES_EACH,
    }


def test_a_change_is_shown_where_it_happened():
    before = Document(text="a" * 5000 + "SECRET" + "b" * 5000, source="s", name="d")
    outcome = Outcome()
    outcome.change(
        Document(text=before.text.replace("SECRET", "<KEY>"), source="s", name="d"), "key"
    )
    samples = Samples()
    samples.note("pii", [before], outcome)
    row = samples.to_json()[0]
    assert "SECRET" in row["before"] and "<KEY>" in row["after"]
    assert len(row["before"]) <= EXCERPT_CHARS
