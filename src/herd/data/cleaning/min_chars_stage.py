"""Texts of too few characters dropped, as a stage of curation."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import ClassVar

from herd.data.document import Document
from herd.data.stage import Outcome, Transform
from herd.foundation import UserError


@dataclass(frozen=True, kw_only=True, slots=True)
class MinCharsStage:
    """Drop a text of fewer than `min_chars` characters, blank space around it not counted."""

    name: ClassVar[str] = "min_chars"
    version: ClassVar[int] = 1
    min_chars: int = 1

    def __post_init__(self) -> None:
        """Refuse a bound that nothing can miss."""
        if self.min_chars < 1:
            raise UserError(f"min_chars is {self.min_chars}; it must be at least 1")

    def open(self) -> Transform:
        """Return the function of the stage."""

        def transform(documents: Sequence[Document]) -> Outcome:
            outcome = Outcome()
            for document in documents:
                n_chars = len(document.text.strip())
                if n_chars < self.min_chars:
                    outcome.drop(document, "too short", f"{n_chars} characters")
                else:
                    outcome.documents.append(document)
            return outcome

        return transform
