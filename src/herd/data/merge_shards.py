"""Several shards made into one: their tokens end to end, in the order given.

In: shard directories packed with the same tokenizer. Out: one shard, as if packed in one go.
"""

import hashlib
import shutil
from collections.abc import Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

from herd.data.shard_index import INDEX_NAME, TOKENS_NAME, ShardIndex, read_index
from herd.foundation import UserError, to_dict, write_json

COPY_BYTES = 8 << 20


def merge_shards(
    shards: Sequence[Path], directory: Path, *, statistics: Mapping[str, Any] | None = None
) -> ShardIndex:
    """Write the shards as one into `directory`, which the caller makes appear in one step.

    Raises UserError when there is none, or they were not packed alike.
    """
    if not shards:
        raise UserError("no shard to merge; look at the sources and at what was dropped")
    indexes = [read_index(shard) for shard in shards]
    first = indexes[0]
    for shard, index in zip(shards, indexes, strict=True):
        if _kind(index) != _kind(first):
            raise UserError(f"{shard} was packed with another tokenizer than {shards[0]}")
    directory.mkdir(parents=True, exist_ok=True)
    merged = replace(
        first,
        n_tokens=sum(index.n_tokens for index in indexes),
        n_bytes=sum(index.n_bytes for index in indexes),
        max_token_id=max(index.max_token_id for index in indexes),
        sha256=_concatenate([shard / TOKENS_NAME for shard in shards], directory / TOKENS_NAME),
        document_offsets=_offsets(indexes),
        document_names=tuple(name for index in indexes for name in index.document_names),
        statistics=statistics or {},
    )
    write_json(directory / INDEX_NAME, to_dict(merged))
    return merged


def _kind(index: ShardIndex) -> tuple[object, ...]:
    return index.dtype, index.vocab_size, index.eos_id, index.tokenizer_fingerprint


def _concatenate(paths: Sequence[Path], target: Path) -> str:
    """Copy the files end to end; return the digest of the whole."""
    with target.open("wb") as out:
        for path in paths:
            with path.open("rb") as file:
                shutil.copyfileobj(file, out, COPY_BYTES)
    with target.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()


def _offsets(indexes: Sequence[ShardIndex]) -> tuple[int, ...]:
    offsets, start = [0], 0
    for index in indexes:
        offsets += [start + offset for offset in index.document_offsets[1:]]
        start += index.n_tokens
    return tuple(offsets)
