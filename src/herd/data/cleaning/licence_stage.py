"""Licences and notices of Project Gutenberg taken off, as a stage of curation."""

from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import ClassVar

from herd.data.cleaning.licence import strip_licence
from herd.data.document import Document
from herd.data.stage import Outcome, Transform


@dataclass(frozen=True, kw_only=True, slots=True)
class LicenceStage:
    """Take Project Gutenberg's own words off prose; what is nothing but a licence is dropped."""

    name: ClassVar[str] = "licence"
    version: ClassVar[int] = 1

    def open(self) -> Transform:
        """Return the function of the stage."""
        return _without_licences


def _without_licences(documents: Sequence[Document]) -> Outcome:
    outcome = Outcome()
    for document in documents:
        text, found = strip_licence(document.text) if document.kind == "prose" else ("", ())
        if not found:
            outcome.documents.append(document)
        elif text.strip():
            outcome.change(replace(document, text=text), "licence stripped", ", ".join(found))
        else:
            outcome.drop(document, "nothing but a licence", ", ".join(found))
    return outcome
