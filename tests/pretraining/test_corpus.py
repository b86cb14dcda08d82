"""The text a tokenizer is trained on: an even, repeatable share of the documents."""

import pytest

from herd.data import Document
from herd.foundation import UserError
from herd.pretraining import CorpusConfig, TokenizerConfig
from herd.pretraining.corpus import sample_documents

DOCUMENTS = [Document(text="x", source="s", name=f"document {n}") for n in range(2000)]


@pytest.mark.parametrize("share", [0.0, 0.1, 0.5, 1.0])
def test_about_that_share_is_drawn(share: float) -> None:
    assert len(list(sample_documents(DOCUMENTS, share))) == pytest.approx(2000 * share, abs=60)


def test_the_draw_depends_on_names_only() -> None:
    forwards = {d.name for d in sample_documents(DOCUMENTS, 0.3)}
    assert forwards == {d.name for d in sample_documents(DOCUMENTS[::-1], 0.3)}
    assert {d.name for d in sample_documents(DOCUMENTS[:500], 0.3)} <= forwards


def test_a_corpus_of_nothing_is_refused() -> None:
    with pytest.raises(UserError, match=r"corpus\.sources is empty"):
        CorpusConfig.of()


@pytest.mark.parametrize(("field", "value"), [("vocab_size", 0), ("train_bytes", -1)])
def test_a_bad_field_is_named(field: str, value: int) -> None:
    with pytest.raises(UserError, match=field):
        TokenizerConfig(**{"vocab_size": 1000, field: value})
