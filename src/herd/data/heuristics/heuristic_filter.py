"""The rules of thumb as a stage of curation: a text that breaks one is dropped, and the rule named."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from typing import ClassVar

from herd.data.document import Document
from herd.data.heuristics.rules import (
    Broken,
    CodeRule,
    LengthRule,
    PageRule,
    RatioRule,
    RepetitionRule,
    StopWordRule,
)
from herd.data.heuristics.text_statistics import TextStatistics
from herd.data.stage import Outcome, Transform

# Words are not separated by spaces: rules that count them say nothing.
WITHOUT_SPACES = frozenset({"th", "zh", "ja", "km", "lo", "my", "bo"})


@dataclass(frozen=True, kw_only=True, slots=True)
class HeuristicFilter:
    """Drop what breaks a rule; `None` switches a rule off. Code has a rule of its own."""

    name: ClassVar[str] = "heuristics"
    version: ClassVar[int] = 1
    length: LengthRule | None = field(default_factory=LengthRule)
    ratios: RatioRule | None = field(default_factory=RatioRule)
    stop_words: StopWordRule | None = field(default_factory=StopWordRule)
    page: PageRule | None = None
    repetition: RepetitionRule | None = field(default_factory=RepetitionRule)
    code: CodeRule | None = field(default_factory=CodeRule)

    def open(self) -> Transform:
        """Return the function of the stage."""

        def transform(documents: Sequence[Document]) -> Outcome:
            outcome = Outcome()
            for document in documents:
                broken = next(self._broken(document), None)
                if broken is None:
                    outcome.documents.append(document)
                else:
                    outcome.drop(document, *broken)
            return outcome

        return transform

    def _broken(self, document: Document) -> Iterator[Broken]:
        """The rules that a document breaks, the cheap ones first."""
        text = TextStatistics(document.text)
        if document.kind == "code":
            if self.code:
                yield from self.code.broken(text)
            return
        has_spaces = document.language not in WITHOUT_SPACES
        if has_spaces:
            if self.length:
                yield from self.length.broken(text)
            if self.stop_words:
                yield from self.stop_words.broken(text, document.language)
        if self.ratios:
            yield from self.ratios.broken(text)
        if self.page:
            yield from self.page.broken(text)
        if self.repetition:
            yield from self.repetition.broken(text, runs=has_spaces)
