"""Pack documents into a shard: their ids end to end, each document closed by the end-of-text id.

Documents stream through: what is held at once is a megabyte of text or one document (which sources
bound), and the offsets. The directory appears when all is written, or not at all.
In: documents and a tokenizer. Out: a shard directory (see shard_index).
"""

import hashlib
from collections.abc import Iterable, Iterator, Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any, BinaryIO

import numpy as np

from herd.data.document import Document
from herd.data.shard_index import DTYPES, FORMAT, INDEX_NAME, TOKENS_NAME, ShardIndex, dtype_for
from herd.foundation import (
    Progress,
    UserError,
    atomic_directory,
    progress_bar,
    to_dict,
    write_json,
)

if TYPE_CHECKING:
    from herd.tokenizer import Tokenizer

ENCODE_BATCH_CHARS = 1 << 20


def pack(
    documents: Iterable[Document],
    tokenizer: "Tokenizer",
    directory: Path | str,
    *,
    statistics: Mapping[str, Any] | None = None,
    total_bytes: int | None = None,
    replace: bool = False,
) -> ShardIndex:
    """Write `documents` as a new shard in `directory` and return its index.

    `total_bytes` of text is for the progress bar alone. Raises UserError when there is no document,
    the tokenizer has no end-of-text token, the directory exists, or the disk is full.
    """
    with (
        atomic_directory(directory, replace=replace) as partial,
        progress_bar("packing", total_bytes, unit="B") as progress,
    ):
        return write_shard(documents, tokenizer, partial, statistics=statistics, progress=progress)


def write_shard(
    documents: Iterable[Document],
    tokenizer: "Tokenizer",
    directory: Path,
    *,
    statistics: Mapping[str, Any] | None = None,
    progress: Progress | None = None,
) -> ShardIndex:
    """Write a shard into an existing directory that the caller makes appear in one step."""
    if tokenizer.eos_id is None:
        raise UserError(
            "the tokenizer has no end-of-text token to close documents with; use another"
        )
    directory.mkdir(exist_ok=True)
    writer = _Writer(tokenizer, tokenizer.eos_id)
    with (directory / TOKENS_NAME).open("wb") as out:
        for group in _groups(documents):
            n_bytes_before = writer.n_bytes
            writer.write(group, out)
            if progress:
                progress.advance(writer.n_bytes - n_bytes_before)
    index = writer.index(statistics or {})
    write_json(directory / INDEX_NAME, to_dict(index))
    return index


def _groups(documents: Iterable[Document]) -> Iterator[list[Document]]:
    """Lists of documents long enough for the tokenizer to work in parallel."""
    group: list[Document] = []
    n_chars = 0
    for document in documents:
        group.append(document)
        n_chars += len(document.text)
        if n_chars >= ENCODE_BATCH_CHARS:
            yield group
            group, n_chars = [], 0
    if group:
        yield group


class _Writer:
    """What grows while a shard is written."""

    def __init__(self, tokenizer: "Tokenizer", eos_id: int) -> None:
        self.tokenizer = tokenizer
        self.eos_id = eos_id
        self.vocab_size = tokenizer.vocab_size
        self.dtype = dtype_for(self.vocab_size)
        self.digest = hashlib.sha256()
        self.offsets = [0]
        self.names: list[str] = []
        self.n_bytes = 0
        self.max_token_id = 0

    def write(self, group: list[Document], out: BinaryIO) -> None:
        texts = [document.text for document in group]
        for document, ids in zip(group, self.tokenizer.encode_batch(texts), strict=True):
            array = np.array([*ids, self.eos_id], dtype=np.int64)
            self._check(document, int(array.min()), int(array.max()))
            data = array.astype(DTYPES[self.dtype]).tobytes()
            out.write(data)
            self.digest.update(data)
            self.offsets.append(self.offsets[-1] + array.size)
            self.names.append(document.name)
            self.n_bytes += len(document.text.encode("utf-8"))

    def index(self, statistics: Mapping[str, Any]) -> ShardIndex:
        if not self.names:
            raise UserError("no document to pack; look at the sources and at what was dropped")
        return ShardIndex(
            format=FORMAT,
            dtype=self.dtype,
            n_tokens=self.offsets[-1],
            n_bytes=self.n_bytes,
            vocab_size=self.vocab_size,
            eos_id=self.eos_id,
            max_token_id=self.max_token_id,
            tokenizer_fingerprint=self.tokenizer.fingerprint,
            sha256=self.digest.hexdigest(),
            document_offsets=tuple(self.offsets),
            document_names=tuple(self.names),
            statistics=statistics,
        )

    def _check(self, document: Document, least: int, greatest: int) -> None:
        if least < 0 or greatest >= self.vocab_size:
            raise UserError(
                f"{document.name}: the tokenizer gave id {greatest} with a vocabulary of "
                f"{self.vocab_size}; its files do not belong together"
            )
        self.max_token_id = max(self.max_token_id, greatest)
