"""The text a tokenizer is trained on: an even, repeatable share of the documents."""

import pytest

from herd.data import Document
from herd.data.sample_documents import sample_documents

DOCUMENTS = [Document(text="x", source="s", name=f"document {n}") for n in range(2000)]


@pytest.mark.parametrize("share", [0.0, 0.1, 0.5, 1.0])
def test_about_that_share_is_drawn(share: float) -> None:
    assert len(list(sample_documents(DOCUMENTS, share))) == pytest.approx(2000 * share, abs=60)


def test_the_draw_depends_on_names_only() -> None:
    forwards = {d.name for d in sample_documents(DOCUMENTS, 0.3)}
    assert forwards == {d.name for d in sample_documents(DOCUMENTS[::-1], 0.3)}
    assert {d.name for d in sample_documents(DOCUMENTS[:500], 0.3)} <= forwards
