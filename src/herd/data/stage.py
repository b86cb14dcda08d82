"""What a stage of curation is: settings, and a pure function over documents that names its decisions.

A stage is a frozen dataclass of settings. A BatchStage looks at documents one batch at a time. A
CorpusStage has to see all of them first: it surveys each part of the corpus, rules over the surveys,
and applies the ruling to each part. Neither may depend on how documents fall into batches or which
process holds them, so that one worker and a hundred write the same bytes.
In: documents. Out: documents, decisions, counters. Never: a document dropped without a decision.
"""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, ClassVar, Literal, Protocol, TypeAlias, runtime_checkable

import numpy as np
from numpy.typing import NDArray

from herd.data.document import Document

Action = Literal["dropped", "changed"]
Array: TypeAlias = NDArray[Any]


@dataclass(frozen=True, slots=True)
class Decision:
    """What a stage did to a document, and why.

    `reason` is one of the few that a stage has ("symbol ratio", "same URL"), `detail` says it for
    this document ("0.31, more than 0.1").
    """

    document: str
    action: Action
    reason: str
    detail: str = ""


@dataclass(slots=True)
class Outcome:
    """What a batch became: the documents that stay, in their order, and what was decided.

    `counts` are further counters of the stage ("e-mail addresses"), which add up over batches.
    """

    documents: list[Document] = field(default_factory=list)
    decisions: list[Decision] = field(default_factory=list)
    counts: dict[str, int] = field(default_factory=dict)

    def count(self, what: str, amount: int = 1) -> None:
        """Add to a counter."""
        self.counts[what] = self.counts.get(what, 0) + amount

    def drop(self, document: Document, reason: str, detail: str = "") -> None:
        """Leave a document out."""
        self.decisions.append(Decision(document.name, "dropped", reason, detail))

    def change(self, document: Document, reason: str, detail: str = "") -> None:
        """Keep a document of which something was changed."""
        self.decisions.append(Decision(document.name, "changed", reason, detail))
        self.documents.append(document)


Transform: TypeAlias = Callable[[Sequence[Document]], Outcome]
# The second argument is the place of the first document within its part, as it was surveyed.
RuledTransform: TypeAlias = Callable[[Sequence[Document], int], Outcome]


@runtime_checkable
class BatchStage(Protocol):
    """A stage that can judge each document by itself. Raise `version` when its output changes."""

    name: ClassVar[str]
    version: ClassVar[int]

    def open(self) -> Transform:
        """Load what the stage needs (once in each worker) and return its function."""


class Survey(Protocol):
    """What one part of the corpus is asked, gathered over its documents in their order."""

    def add(self, documents: Sequence[Document]) -> None:
        """Look at the next documents of the part."""

    def columns(self) -> Mapping[str, Array]:
        """Return what was found, as arrays of any length, saved under their names."""


class Surveys(Protocol):
    """The surveys of all parts of the corpus, on disk."""

    @property
    def n_parts(self) -> int:
        """How many parts there are."""

    def column(self, part: int, name: str) -> Array:
        """Return one column of one part, as a read-only array mapped from disk."""

    def names(self, part: int) -> list[str]:
        """Return the names of the documents of a part, in their order."""


@runtime_checkable
class CorpusStage(Protocol):
    """A stage that has to see the whole corpus before it can judge a document."""

    name: ClassVar[str]
    version: ClassVar[int]

    def open_survey(self) -> Survey:
        """Return the survey of one part of the corpus."""

    def rule(self, surveys: Surveys, ruling: Path, memory_bytes: int) -> Mapping[str, int]:
        """Decide for all documents; write files into the directory `ruling`; return counters.

        Holds at most about `memory_bytes` at once, whatever the corpus size.
        """

    def open(self, ruling: Path, part: int) -> RuledTransform:
        """Return the function that applies the ruling to one part's documents."""


@runtime_checkable
class DroppingStage(CorpusStage, Protocol):
    """A CorpusStage that changes no document, and whose survey has a row for each in every column.

    Several in a row survey in one pass over the corpus: each rules over the rows of what those
    before it leave.
    """

    def survivors(self, ruling: Path, part: int) -> NDArray[np.bool_]:
        """Return which of a part's documents stay, by their place in the survey."""


Stage: TypeAlias = BatchStage | CorpusStage
