"""Counts by property."""

from herd.data import Document
from herd.data.curation import distributions
from herd.data.curation.distributions import Distributions


def test_documents_and_bytes_are_counted_by_value():
    found = Distributions()
    texts = ["", "a", "ab", "abc", "naïve"]
    found.add([Document(text=t, source="s", name=t, language="en" if t else "") for t in texts])
    counts = found.to_json()
    assert counts["language"] == {"en": [4, 12], "unknown": [1, 0]}
    assert counts["length_bytes"] == {"1": [2, 1], "2": [2, 5], "4": [1, 6]}


def test_parts_add_up_to_the_whole(make_documents):
    documents = make_documents(90)
    whole, merged = Distributions(), Distributions()
    whole.add(documents)
    for start in (60, 0, 30):
        part = Distributions()
        part.add(documents[start : start + 30])
        merged.add_json(part.to_json())
    assert merged.to_json() == whole.to_json()


def test_a_million_sources_do_not_fill_memory(monkeypatch):
    monkeypatch.setattr(distributions, "MAX_VALUES", 10)
    found = Distributions()
    found.add([Document(text="x", source=f"s{n}", name=f"{n}") for n in range(100)])
    sources = found.to_json()["source"]
    assert len(sources) == 11
    assert sources["other"] == [90, 90]
