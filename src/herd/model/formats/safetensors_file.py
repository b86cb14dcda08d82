"""Read a safetensors file without trusting its header.

In: a path. Out: tensors that are views of the mapped file.
Never: a tensor outside the file or overlapping another; a header larger than any real one.
Layout: 8 bytes of header length, a JSON header, then the data (the safetensors README).
"""

import json
import mmap
import struct
from dataclasses import dataclass
from math import prod
from pathlib import Path
from typing import Any

import torch

from herd.foundation import UserError, map_file
from herd.model.formats.fields import shorten

MAX_HEADER_BYTES = 1 << 23  # Llama 3 405B needs about 150,000
MAX_DIMENSIONS = 8
LENGTH_BYTES = 8
DTYPES = {
    "F64": torch.float64,
    "F32": torch.float32,
    "F16": torch.float16,
    "BF16": torch.bfloat16,
    "F8_E4M3": torch.float8_e4m3fn,
    "F8_E5M2": torch.float8_e5m2,
    "I64": torch.int64,
    "I32": torch.int32,
    "I16": torch.int16,
    "I8": torch.int8,
    "U8": torch.uint8,
    "BOOL": torch.bool,
}


@dataclass(frozen=True, slots=True)
class SafeTensor:
    """One checked entry of the header; `start` and `stop` are positions in the file."""

    name: str
    dtype: torch.dtype
    shape: tuple[int, ...]
    start: int
    stop: int


class SafetensorsFile:
    """The checked header of one file, and its tensors by name."""

    def __init__(self, path: Path, mapped: mmap.mmap, tensors: dict[str, SafeTensor]) -> None:
        self.path = path
        self.tensors = tensors
        self._mapped = mapped

    def read(self, name: str) -> torch.Tensor:
        """Return a tensor that shares memory with a private map of the file."""
        entry = self.tensors[name]
        if entry.start == entry.stop:
            return torch.empty(entry.shape, dtype=entry.dtype)
        raw = torch.frombuffer(
            self._mapped, dtype=torch.uint8, offset=entry.start, count=entry.stop - entry.start
        )
        if entry.start % entry.dtype.itemsize:
            raw = raw.clone()  # kernels expect aligned values
        return raw.view(entry.dtype).reshape(entry.shape)


def open_safetensors(path: Path) -> SafetensorsFile:
    """Map the file and check its whole header; UserError says what lies, and where."""
    mapped = map_file(path)
    header, data_start = _read_header(path, mapped)
    header.pop("__metadata__", None)
    entries = [_entry(path, name, fields, data_start) for name, fields in header.items()]
    _check_places(path, entries, data_start, len(mapped))
    return SafetensorsFile(path, mapped, {entry.name: entry for entry in entries})


def _read_header(path: Path, mapped: mmap.mmap) -> tuple[dict[str, Any], int]:
    if len(mapped) < LENGTH_BYTES:
        raise _damaged(path, f"it has only {len(mapped)} bytes")
    (n_bytes,) = struct.unpack_from("<Q", mapped)
    data_start = LENGTH_BYTES + n_bytes
    if n_bytes > MAX_HEADER_BYTES or data_start > len(mapped):
        raise _damaged(path, f"its header claims {n_bytes:,} bytes")
    try:
        header = json.loads(mapped[LENGTH_BYTES:data_start], object_pairs_hook=_without_repeats)
    except (ValueError, RecursionError) as error:
        raise _damaged(path, "its header is not JSON, or names a tensor twice") from error
    if not isinstance(header, dict):
        raise _damaged(path, "its header is not a JSON object")
    return header, data_start


def _without_repeats(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    values = dict(pairs)
    if len(values) != len(pairs):
        raise ValueError("a key occurs twice")
    return values


def _entry(path: Path, name: str, fields: Any, data_start: int) -> SafeTensor:
    what = f"tensor {shorten(name)}"
    if not isinstance(fields, dict) or set(fields) != {"dtype", "shape", "data_offsets"}:
        raise _damaged(path, f"{what} lacks dtype, shape or data_offsets")
    dtype, shape, offsets = fields["dtype"], fields["shape"], fields["data_offsets"]
    if not isinstance(dtype, str) or dtype not in DTYPES:
        raise UserError(f"{path}: {what} has the dtype {shorten(dtype)}, which Herd cannot read")
    if not _are_counts(shape) or len(shape) > MAX_DIMENSIONS:
        raise _damaged(path, f"{what} has an impossible shape")
    if not _are_counts(offsets) or len(offsets) != 2 or offsets[0] > offsets[1]:
        raise _damaged(path, f"{what} has impossible offsets")
    n_bytes = prod(shape) * DTYPES[dtype].itemsize
    if n_bytes != offsets[1] - offsets[0]:
        raise _damaged(path, f"{what} has offsets that do not fit its shape and dtype")
    start, stop = data_start + offsets[0], data_start + offsets[1]
    return SafeTensor(name, DTYPES[dtype], tuple(shape), start, stop)


def _are_counts(values: Any) -> bool:
    return isinstance(values, list) and all(
        isinstance(value, int) and not isinstance(value, bool) and 0 <= value < 1 << 63
        for value in values
    )


def _check_places(path: Path, entries: list[SafeTensor], data_start: int, size: int) -> None:
    end_of_last = data_start
    for entry in sorted(entries, key=lambda entry: (entry.start, entry.stop)):
        what = f"tensor {shorten(entry.name)}"
        if entry.stop > size:
            raise _damaged(path, f"{what} ends at byte {entry.stop:,} of {size:,}")
        if entry.start < end_of_last:
            raise _damaged(path, f"{what} overlaps another")
        end_of_last = entry.stop


def _damaged(path: Path, why: str) -> UserError:
    return UserError(f"{path} is truncated, damaged or not safetensors: {why}; get it again")
