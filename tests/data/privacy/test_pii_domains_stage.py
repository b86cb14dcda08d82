"""Domains full of private data go, others stay, however their documents are spread."""

from random import Random

import numpy as np
import pytest

from herd.data import Document
from herd.data.privacy import PiiDomainFilter
from herd.data.stage import DroppingStage
from herd.foundation import UserError

WORDS = "some words of a longer text that goes on "


def document(number, url, *, n_words=90, n_private=0):
    text = " ".join(
        [*(WORDS.split() * n_words)[:n_words], *[f"p{i}@mail.org" for i in range(n_private)]]
    )
    meta = {"url": url} if url else {}
    return Document(text=text, source="s", name=f"d{number}", meta=meta)


def corpus():
    """A telephone book, a newspaper, a small page full of addresses, documents without URL."""
    rows = [(f"https://www.book.org/{n}", 10 if n % 2 else 0) for n in range(12)]
    rows += [(f"http://paper.org:80/{n}", 1 if n == 3 else 0) for n in range(12)]
    rows += [(f"https://small.org/{n}", 10) for n in range(4)]
    rows += [("", 10)] * 6
    rows = [
        (url.replace("www.", "") if n % 3 else url, private)
        for n, (url, private) in enumerate(rows)
    ]
    documents = [document(n, url, n_private=private) for n, (url, private) in enumerate(rows)]
    Random(0).shuffle(documents)
    return documents


@pytest.fixture
def apply(tmp_path, memory_surveys):
    """Survey, rule and apply over so many parts; return what stays, the decisions, the counts."""

    def apply(stage, documents, n_parts=1, memory_bytes=1 << 30):
        ruling = tmp_path / f"{n_parts}-{memory_bytes}"
        ruling.mkdir()
        parts = [documents[i::n_parts] for i in range(n_parts)] + [[]]
        counts = stage.rule(memory_surveys(parts, stage), ruling, memory_bytes)
        kept, decisions = [], []
        for number, part in enumerate(parts):
            transform = stage.open(ruling, number)
            before = len(kept)
            for start in range(0, len(part), 4):
                outcome = transform(part[start : start + 4], start)
                kept += [one.name for one in outcome.documents]
                decisions += outcome.decisions
            survivors = stage.survivors(ruling, number)
            assert kept[before:] == [part[i].name for i in np.flatnonzero(survivors)]
        return kept, decisions, dict(counts)

    return apply


@pytest.mark.parametrize(
    ("n_parts", "memory_bytes"), [(1, 1 << 30), (3, 1 << 30), (7, 300), (34, 1)]
)
def test_a_domain_full_of_private_data_goes_in_any_parts_and_memory(apply, n_parts, memory_bytes):
    if memory_bytes == 1:
        memory_bytes = 129  # a document at a time
    kept, decisions, counts = apply(PiiDomainFilter(), corpus(), n_parts, memory_bytes)
    assert {one.document for one in decisions} == {f"d{n}" for n in range(12)}
    assert sorted(kept, key=lambda name: int(name[1:])) == [f"d{n}" for n in range(12, 34)]
    # 60 in 12 texts of 90 words and 60 words more.
    assert {one.detail for one in decisions} == {"book.org: 52.6 in 1,000 words"}
    assert {(one.action, one.reason) for one in decisions} == {
        ("dropped", "domain full of private data")
    }
    assert counts == {"domains": 1, "documents of them": 12}


def test_a_domain_of_few_documents_stays_until_fewer_are_asked_for(apply):
    _, decisions, _ = apply(PiiDomainFilter(min_documents=4), corpus())
    assert {one.detail.partition(":")[0] for one in decisions} == {"book.org", "small.org"}


def test_a_domain_at_the_bound_stays(apply):
    documents = [document(n, "https://a.org", n_words=199, n_private=1) for n in range(5)]
    assert apply(PiiDomainFilter(max_per_1000_words=5.0), documents, 1)[1] == []
    assert len(apply(PiiDomainFilter(max_per_1000_words=4.9), documents, 2)[1]) == 5


def test_hosts_below_another_are_domains_of_their_own(apply):
    documents = [
        document(n, f"https://b{n % 2}.blogs.org/{n}", n_private=10 * (n % 2)) for n in range(12)
    ]
    kept, decisions, _ = apply(PiiDomainFilter(), documents)
    assert len(kept) == 6 and {one.detail.partition(":")[0] for one in decisions} == {
        "b1.blogs.org"
    }


def test_nothing_goes_of_a_corpus_without_documents_or_urls(apply):
    assert apply(PiiDomainFilter(), [])[2] == {"domains": 0, "documents of them": 0}
    assert apply(PiiDomainFilter(), [document(n, "", n_private=9) for n in range(9)], 2)[1] == []


def test_it_shares_a_pass_with_other_stages_that_drop():
    assert isinstance(PiiDomainFilter(), DroppingStage)


@pytest.mark.parametrize(
    "wrong",
    [{"max_per_1000_words": 0.0}, {"max_per_1000_words": float("nan")}, {"min_documents": 0}],
)
def test_a_bound_that_makes_no_sense_is_named(wrong):
    with pytest.raises(UserError, match=f"pii_domains.{next(iter(wrong))}"):
        PiiDomainFilter(**wrong)
