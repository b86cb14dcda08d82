"""Read a packed shard through a memory map: any stretch of tokens, and which document it is from.

In: a shard directory. Out: ids, document names, totals.
Never: a shard packed with another tokenizer, or one whose files contradict each other.
"""

from bisect import bisect_right
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from herd.data.shard_index import DTYPES, INDEX_NAME, MENDING, TOKENS_NAME, read_index
from herd.foundation import UserError, sha256_file


class ShardReader:
    """A packed shard, opened and checked.

    Raises UserError when the directory is no shard, is truncated or contradicts itself, or was packed
    with a tokenizer whose fingerprint is not `tokenizer_fingerprint` (None accepts any).
    """

    def __init__(self, directory: Path | str, *, tokenizer_fingerprint: str | None = None) -> None:
        self.directory = Path(directory)
        self.index = read_index(self.directory)
        packed_with = self.index.tokenizer_fingerprint
        if tokenizer_fingerprint not in (None, packed_with):
            raise UserError(
                f"{self.directory}: packed with tokenizer {packed_with[:12]}, not with "
                f"{str(tokenizer_fingerprint)[:12]}; give that tokenizer or {MENDING}"
            )
        path = self.directory / TOKENS_NAME
        dtype = DTYPES[self.index.dtype]
        self.tokens_N: NDArray[Any] = np.memmap(path, dtype=dtype, mode="r")
        self.document_offsets = np.asarray(self.index.document_offsets, dtype=np.int64)

    @property
    def n_tokens(self) -> int:
        """Tokens in all, end-of-text ids included."""
        return self.index.n_tokens

    @property
    def n_bytes(self) -> int:
        """UTF-8 bytes of the texts that were packed."""
        return self.index.n_bytes

    @property
    def n_documents(self) -> int:
        """Documents in all."""
        return len(self.index.document_names)

    def tokens(self, start: int, stop: int) -> NDArray[np.int64]:
        """Return ids `start:stop` of the stream. Raises UserError if some are not in the vocabulary."""
        if not 0 <= start <= stop <= self.n_tokens:
            raise UserError(f"{self.directory}: tokens {start}:{stop} of {self.n_tokens} asked for")
        return self.checked(self.tokens_N[start:stop])

    def checked(self, ids: NDArray[Any]) -> NDArray[np.int64]:
        """Return ids as int64 after comparing them with the vocabulary's size."""
        found = int(ids.max(initial=0))
        if found >= self.index.vocab_size:
            raise UserError(
                f"{self.directory / TOKENS_NAME}: id {found} in a vocabulary of "
                f"{self.index.vocab_size}; the file is damaged, {MENDING}"
            )
        return ids.astype(np.int64)

    def document_at(self, token_position: int) -> str:
        """Return the name of the document that the token belongs to."""
        if not 0 <= token_position < self.n_tokens:
            raise UserError(
                f"{self.directory}: token {token_position} of {self.n_tokens} asked for"
            )
        return self.index.document_names[
            bisect_right(self.index.document_offsets, token_position) - 1
        ]

    def verify(self) -> None:
        """Read every byte and compare its SHA-256 with the index. Raises UserError if it differs."""
        if sha256_file(self.directory / TOKENS_NAME) != self.index.sha256:
            raise UserError(
                f"{self.directory / TOKENS_NAME}: its SHA-256 is not the one in {INDEX_NAME}; {MENDING}"
            )
