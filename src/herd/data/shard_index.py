"""The JSON beside a shard's tokens: what they are, where documents begin, how they came to be.

A shard is a directory of two files: `tokens.bin`, the flat ids as little-endian uint16 or uint32, and
`index.json`, this. In: JSON that may be truncated or lying. Out: a ShardIndex that has been checked
against itself and against the size of the tokens file.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from herd.foundation import UserError, read_json

TOKENS_NAME = "tokens.bin"
INDEX_NAME = "index.json"
FORMAT = "herd-shard-1"
DTYPES: dict[str, np.dtype[Any]] = {"uint16": np.dtype("<u2"), "uint32": np.dtype("<u4")}
MENDING = "pack the data again"


@dataclass(frozen=True, kw_only=True, slots=True)
class ShardIndex:
    """What `index.json` holds. Document i is tokens `document_offsets[i] : document_offsets[i + 1]`.

    Each document's tokens end with the end-of-text id. `n_bytes` is the UTF-8 length of all texts,
    for bits per byte. `statistics` is free-form: counters and decisions of the stages before.
    """

    format: str
    dtype: str
    n_tokens: int
    n_bytes: int
    vocab_size: int
    eos_id: int
    max_token_id: int
    tokenizer_fingerprint: str
    sha256: str
    document_offsets: tuple[int, ...]
    document_names: tuple[str, ...]
    statistics: Mapping[str, Any]


def dtype_for(vocab_size: int) -> str:
    """Return the smaller of uint16 and uint32 that holds every id."""
    return "uint16" if vocab_size <= 1 << 16 else "uint32"


def read_index(directory: Path) -> ShardIndex:
    """Read and check a shard's index. Raises UserError naming the file and what is wrong."""
    path = directory / INDEX_NAME
    if not path.is_file():
        raise UserError(f"{directory}: no {INDEX_NAME} here, so not a packed shard; {MENDING}")
    value = read_json(path)
    if not isinstance(value, dict) or value.get("format") != FORMAT:
        raise UserError(f"{path}: not an index of format {FORMAT}; {MENDING}")
    index = _typed(path, value)
    for problem in _contradictions(index, directory):
        raise UserError(f"{path}: {problem}; the shard is damaged, {MENDING}")
    return index


def _typed(path: Path, value: dict[str, Any]) -> ShardIndex:
    # By hand rather than with from_dict: the two lists may hold millions of items.
    for name, kind in _FIELD_TYPES.items():
        if not isinstance(value.get(name), kind) or isinstance(value.get(name), bool):
            raise UserError(f"{path}: {name} is missing or not {kind.__name__}; {MENDING}")
    if not all(type(offset) is int for offset in value["document_offsets"]):
        raise UserError(f"{path}: document_offsets holds something else than integers; {MENDING}")
    if not all(type(name) is str for name in value["document_names"]):
        raise UserError(f"{path}: document_names holds something else than texts; {MENDING}")
    known = {name: value[name] for name in _FIELD_TYPES}
    known["document_offsets"] = tuple(known["document_offsets"])
    known["document_names"] = tuple(known["document_names"])
    return ShardIndex(**known)


_FIELD_TYPES: dict[str, type] = {
    "format": str,
    "dtype": str,
    "n_tokens": int,
    "n_bytes": int,
    "vocab_size": int,
    "eos_id": int,
    "max_token_id": int,
    "tokenizer_fingerprint": str,
    "sha256": str,
    "document_offsets": list,
    "document_names": list,
    "statistics": dict,
}


def _contradictions(index: ShardIndex, directory: Path) -> list[str]:
    offsets, tokens_path = index.document_offsets, directory / TOKENS_NAME
    if index.dtype not in DTYPES:
        return [f"dtype {index.dtype!r} is not one of {', '.join(DTYPES)}"]
    if not tokens_path.is_file():
        return [f"{TOKENS_NAME} is missing"]
    found_bytes, item_bytes = tokens_path.stat().st_size, DTYPES[index.dtype].itemsize
    checks = {
        f"n_tokens is {index.n_tokens}": index.n_tokens > 0,
        f"n_bytes is {index.n_bytes}": index.n_bytes >= 0,
        f"{TOKENS_NAME} has {found_bytes} bytes where {index.n_tokens} tokens of {item_bytes} are "
        "stated": found_bytes == index.n_tokens * item_bytes,
        f"max_token_id is {index.max_token_id} with vocab_size {index.vocab_size}": (
            0 <= index.max_token_id < index.vocab_size
        ),
        f"eos_id {index.eos_id} is outside the vocabulary": 0 <= index.eos_id < index.vocab_size,
        "document_offsets do not reach from 0 to n_tokens": (
            len(offsets) > 1 and offsets[0] == 0 and offsets[-1] == index.n_tokens
        ),
        "document_offsets do not increase": all(
            a < b for a, b in zip(offsets, offsets[1:], strict=False)
        ),
        f"{len(index.document_names)} document_names for {len(offsets) - 1} documents": (
            len(index.document_names) == len(offsets) - 1
        ),
    }
    return [problem for problem, holds in checks.items() if not holds]
