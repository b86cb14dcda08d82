"""How documents spread over length, language, topic, source and kind.

In: documents. Out: for each of these, documents and bytes by value, JSON-able; merges over parts.
"""

from collections.abc import Mapping, Sequence
from typing import Any

from herd.data.curation.part_file import TextSizes
from herd.data.document import Document

UNKNOWN = "unknown"
MAX_VALUES = 500  # of one property; a crawl has millions of sources
OTHER = "other"


class Distributions:
    """Documents and bytes by property and value. A length's value is the power of two below it."""

    def __init__(self) -> None:
        self._found: dict[str, dict[str, list[int]]] = {}

    def add(self, documents: Sequence[Document], size_of: TextSizes | None = None) -> None:
        """Count documents."""
        size_of = size_of or TextSizes()
        for document in documents:
            n_bytes = size_of(document)
            self._count("length_bytes", str(1 << max(n_bytes, 1).bit_length() - 1), 1, n_bytes)
            self._count("language", document.language or UNKNOWN, 1, n_bytes)
            self._count("topic", document.meta.get("topic") or UNKNOWN, 1, n_bytes)
            self._count("source", document.source, 1, n_bytes)
            self._count("kind", document.kind, 1, n_bytes)

    def add_json(self, found: Mapping[str, Mapping[str, Sequence[int]]]) -> None:
        """Merge what `to_json` of another part gave."""
        for name, values in found.items():
            for value, (n_documents, n_bytes) in values.items():
                self._count(name, value, n_documents, n_bytes)

    def to_json(self) -> dict[str, Any]:
        """Return the counts as plain values: property -> value -> (documents, bytes)."""
        return {name: dict(sorted(values.items())) for name, values in sorted(self._found.items())}

    def _count(self, name: str, value: str, n_documents: int, n_bytes: int) -> None:
        values = self._found.setdefault(name, {})
        if value not in values and len(values) >= MAX_VALUES:
            value = OTHER
        cell = values.setdefault(value, [0, 0])
        cell[0] += n_documents
        cell[1] += n_bytes


def total_of(found: Mapping[str, Mapping[str, Sequence[int]]]) -> tuple[int, int]:
    """Return all documents and all bytes of what `to_json` gave."""
    cells = found.get("kind", {}).values()  # every document has one
    return sum(cell[0] for cell in cells), sum(cell[1] for cell in cells)
