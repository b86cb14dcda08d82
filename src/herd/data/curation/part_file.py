"""Documents as a Parquet file that any tool can read, written and read a few megabytes at a time.

Columns: name, source, language, kind, meta (a JSON object, or nothing), text. A row group is a batch:
what a stage is handed at once. In: documents. Out: a file that appears whole; batches again.
Never: more than a batch in memory.
"""

import json
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any, get_args

from herd.data.curation.damage import explain_damage
from herd.data.document import NO_META, Document, Kind
from herd.foundation import UserError

BATCH_BYTES = 4 << 20  # of text
BATCH_DOCUMENTS = 4096
KINDS = frozenset(get_args(Kind))
_COLUMNS = ("name", "source", "language", "kind", "meta", "text")


def n_bytes_of(text: str) -> int:
    """Return the length of a text in UTF-8."""
    return len(text) if text.isascii() else len(text.encode())


class TextSizes:
    """Lengths in UTF-8 of the texts of one batch, each computed once however many stages ask."""

    def __init__(self) -> None:
        self._known: dict[int, int] = {}
        self._alive: list[str] = []  # an id is a text's only while the text lives

    def __call__(self, document: Document) -> int:
        """Return the length of a document's text."""
        key = id(document.text)
        if key not in self._known:
            self._known[key] = n_bytes_of(document.text)
            self._alive.append(document.text)
        return self._known[key]


class PartWriter:
    """Writes documents into a Parquet file at `path`, which the caller makes appear in one step."""

    def __init__(self, path: Path, *, lasting: bool = True) -> None:
        """Open a file; one that is soon read and removed is written faster, and is larger."""
        import pyarrow
        import pyarrow.parquet

        self._arrow = pyarrow
        self._schema = pyarrow.schema([(name, pyarrow.string()) for name in _COLUMNS])
        how = {"compression": "zstd", "compression_level": 1} if lasting else {"compression": "lz4"}
        self._file = pyarrow.parquet.ParquetWriter(path, self._schema, use_dictionary=False, **how)
        self._pending: list[Document] = []
        self._pending_bytes = 0
        self.n_documents = 0
        self.n_bytes = 0

    def write(self, documents: Sequence[Document], size_of: TextSizes | None = None) -> None:
        """Append documents; full batches go to the file."""
        size_of = size_of or TextSizes()
        for document in documents:
            self._pending.append(document)
            size = size_of(document)
            self._pending_bytes += size
            self.n_bytes += size
            self.n_documents += 1
            if self._pending_bytes >= BATCH_BYTES or len(self._pending) >= BATCH_DOCUMENTS:
                self._flush()

    def close(self) -> None:
        """Write what is left and finish the file."""
        if self._pending:
            self._flush()
        self._file.close()

    def _flush(self) -> None:
        columns = [[getattr(d, name) for d in self._pending] for name in _COLUMNS if name != "meta"]
        columns.insert(
            _COLUMNS.index("meta"),
            [
                json.dumps(dict(d.meta), ensure_ascii=False, sort_keys=True) if d.meta else ""
                for d in self._pending
            ],
        )
        arrays = [self._arrow.array(column, self._arrow.string()) for column in columns]
        self._file.write_table(self._arrow.Table.from_arrays(arrays, schema=self._schema))
        self._pending, self._pending_bytes = [], 0


def read_part(path: Path) -> Iterator[list[Document]]:
    """Yield the batches of a part. Raises UserError when the file is damaged or is none of ours."""
    import pyarrow.parquet

    with explain_damage(path), pyarrow.parquet.ParquetFile(path) as file:
        if tuple(file.schema_arrow.names) != _COLUMNS:
            raise UserError(f"{path}: not a part of a curated corpus")
        for group in range(file.num_row_groups):
            yield _documents(file.read_row_group(group, use_threads=False).to_pydict())


def read_split(path: Path, split: str | None) -> Iterator[Document]:
    """Yield the documents of a part that belong to a split (meta `split`, else `train`); None for all."""
    for batch in read_part(path):
        for document in batch:
            if split is None or document.meta.get("split", "train") == split:
                yield document


def _documents(columns: dict[str, list[Any]]) -> list[Document]:
    documents = []
    for name, source, language, kind, meta, text in zip(
        *(columns[column] for column in _COLUMNS), strict=True
    ):
        if kind not in KINDS or not isinstance(text, str) or not isinstance(name, str):
            raise ValueError(f"{name!r} is no document")
        parsed = json.loads(meta) if meta else NO_META
        if not isinstance(parsed, dict | type(NO_META)):
            raise ValueError(f"{name!r} has labels that are none")
        documents.append(
            Document(text=text, source=source, name=name, language=language, kind=kind, meta=parsed)
        )
    return documents
