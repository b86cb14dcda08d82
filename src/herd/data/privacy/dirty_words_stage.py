"""Documents with too many words of a list dropped: adult pages that no list of domains has (section 3.1.1).

The list is the user's: one word a line. In: texts. Out: fewer of them, with the count.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import ClassVar

import numpy as np

from herd.data.document import Document
from herd.data.stage import Outcome, Transform
from herd.data.word_hashes import Hashes, shingle_hashes, word_hashes
from herd.foundation import UserError


@dataclass(frozen=True, kw_only=True, slots=True)
class DirtyWordFilter:
    """Drop a document with at least `min_words` words of the list that are `min_fraction` of all.

    A line of several words counts as a phrase. C4 drops a page with a single one.
    """

    name: ClassVar[str] = "dirty_words"
    version: ClassVar[int] = 1
    list_path: str = ""
    min_words: int = 3
    min_fraction: float = 0.002

    def __post_init__(self) -> None:
        """Refuse a filter without a list."""
        if not self.list_path:
            raise UserError("dirty_words.list_path is empty; name a file with one word a line")

    def open(self) -> Transform:
        """Read the list and return the function. Raises UserError when it cannot be read."""
        phrases = _phrases(Path(self.list_path))

        def transform(documents: Sequence[Document]) -> Outcome:
            outcome = Outcome()
            for document in documents:
                words = word_hashes(document.text)
                n_found = sum(_occurrences(words, n, known) for n, known in phrases.items())
                if n_found >= self.min_words and n_found >= self.min_fraction * words.size:
                    outcome.drop(document, "dirty words", f"{n_found} of {words.size} words")
                else:
                    outcome.documents.append(document)
            return outcome

        return transform


def _phrases(path: Path) -> dict[int, Hashes]:
    """The listed phrases, hashed, by their number of words."""
    try:
        lines = path.read_text(encoding="utf-8").splitlines()
    except (OSError, UnicodeError) as error:
        raise UserError(f"{path}: no readable list of words: {error}") from error
    found: dict[int, list[Hashes]] = {}
    for line in lines:
        words = word_hashes(line.strip())
        if words.size:
            found.setdefault(words.size, []).append(shingle_hashes(words, words.size))
    return {n_words: np.unique(np.concatenate(hashes)) for n_words, hashes in found.items()}


def _occurrences(words: Hashes, n_words: int, known: Hashes) -> int:
    if words.size < n_words:
        return 0
    runs = shingle_hashes(words, n_words)
    at = np.minimum(np.searchsorted(known, runs), known.size - 1)
    return int((known[at] == runs).sum())
