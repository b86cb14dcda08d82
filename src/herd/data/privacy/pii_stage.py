"""Private data taken out of texts, as a stage of curation."""

from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import ClassVar, Literal

from herd.data.document import Document
from herd.data.privacy.find import Span, find_pii_in_each
from herd.data.stage import Outcome, Transform
from herd.foundation import UserError


@dataclass(frozen=True, kw_only=True, slots=True)
class PiiRedactor:
    """Put a mark in the place of private data (`<EMAIL>`), or only count it.

    A document with more than `max_per_1000_words` goes: it is a list of people. `kinds` empty means
    all (see `kinds.py`).
    """

    name: ClassVar[str] = "pii"
    version: ClassVar[int] = 3
    action: Literal["mark", "count"] = "mark"
    kinds: tuple[str, ...] = ()
    max_per_1000_words: float = 100.0

    def __post_init__(self) -> None:
        """Refuse kinds that are not looked for."""
        from herd.data.privacy.kinds import KINDS

        known = {kind.name for kind in KINDS}
        if unknown := sorted(set(self.kinds) - known):
            raise UserError(
                f"pii.kinds: no kind {unknown[0]!r}; there are {', '.join(sorted(known))}"
            )

    def open(self) -> Transform:
        """Return the function of the stage."""

        def transform(documents: Sequence[Document]) -> Outcome:
            outcome = Outcome()
            found = find_pii_in_each([document.text for document in documents])
            for document, spans in zip(documents, found, strict=True):
                self._redact(document, spans, outcome)
            return outcome

        return transform

    def _redact(self, document: Document, spans: Sequence[Span], outcome: Outcome) -> None:
        found = [span for span in spans if not self.kinds or span.kind in self.kinds]
        if not found:
            outcome.documents.append(document)
            return
        counts = Counter(span.kind for span in found)
        for kind, n_found in sorted(counts.items()):
            outcome.count(kind, n_found)
        detail = ", ".join(f"{n_found} {kind}" for kind, n_found in sorted(counts.items()))
        n_words = max(document.text.count(" ") + document.text.count("\n"), 1)
        if len(found) > 1 and len(found) * 1000 / n_words > self.max_per_1000_words:
            outcome.drop(document, "mostly private data", detail)
        elif self.action == "count":
            outcome.documents.append(document)
        else:
            marked = replace(document, text=redacted(document.text, found))
            outcome.change(marked, "private data marked", detail)


def redacted(text: str, spans: Sequence[Span]) -> str:
    """Return the text with a mark in the place of each span."""
    pieces, position = [], 0
    for span in spans:
        pieces += [text[position : span.begin], f"<{span.kind.upper()}>"]
        position = span.end
    return "".join([*pieces, text[position:]])
