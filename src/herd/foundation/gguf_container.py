"""Read the container of a GGUF file (versions 2 and 3) without trusting a byte of it.

In: a path. Out: metadata as Python values, and where each tensor lies in the mapped file.
Never: what the keys or tensors mean; dequantisation; a loop or an allocation whose size only the file decides.
Layout: the GGUF specification of the ggml project (docs/gguf.md).
"""

from __future__ import annotations

import mmap
import struct
from collections.abc import Mapping
from dataclasses import dataclass
from math import prod
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from herd.foundation.errors import UserError
from herd.foundation.mapped_file import map_file

if TYPE_CHECKING:
    # It opens much else (YAML, for one); whoever reads no GGUF should not wait for that.
    from gguf.constants import GGMLQuantizationType

GGUF_MAGIC = b"GGUF"
VERSIONS = (2, 3)
DEFAULT_ALIGNMENT_BYTES = 32
# Ceilings far above any real file: Llama 3 405B has 1,137 tensors and about 700,000 array items.
MAX_TENSORS = 1 << 16
MAX_METADATA_KEYS = 1 << 14
MAX_ARRAY_ITEMS = 1 << 22  # in the whole header
MAX_ARRAY_DEPTH = 4
MAX_STRING_BYTES = 1 << 27  # some files embed a whole tokenizer.json
MAX_NAME_BYTES = 1 << 12
MAX_DIMENSIONS = 4
MAX_ALIGNMENT_BYTES = 1 << 16
STRING, ARRAY, BOOL = 8, 9, 7
SCALAR_FORMATS = {
    0: "<B",
    1: "<b",
    2: "<H",
    3: "<h",
    4: "<I",
    5: "<i",
    6: "<f",
    BOOL: "<?",
    10: "<Q",
    11: "<q",
    12: "<d",
}


@dataclass(frozen=True, slots=True)
class GgufTensor:
    """One tensor's place in the file; `shape` is row-major (outermost first), as in PyTorch."""

    name: str
    type: str
    shape: tuple[int, ...]
    offset: int
    n_bytes: int


class GgufContainer:
    """The checked header of one file, and its bytes by tensor name."""

    def __init__(
        self,
        path: Path,
        metadata: Mapping[str, Any],
        tensors: Mapping[str, GgufTensor],
        mapped: mmap.mmap,
    ) -> None:
        self.path = path
        self.metadata = metadata
        self.tensors = tensors
        self._mapped = mapped

    def tensor_bytes(self, name: str) -> NDArray[np.uint8]:
        """The tensor's stored bytes, uint8 [n_bytes], a private copy-on-write view of the file."""
        tensor = self.tensors[name]
        return np.frombuffer(
            self._mapped, dtype=np.uint8, count=tensor.n_bytes, offset=tensor.offset
        )


def read_gguf(path: str | Path) -> GgufContainer:
    """Map the file and check its whole header; UserError says what lies, and where."""
    path = Path(path)
    mapped = map_file(path)
    if mapped[: len(GGUF_MAGIC)] != GGUF_MAGIC:
        raise UserError(f"{path}: not a GGUF file (it does not begin with 'GGUF')")
    cursor = _Cursor(path, mapped)
    n_tensors, n_keys = _read_counts(cursor)
    metadata = _read_metadata(cursor, n_keys)
    alignment = _alignment(path, metadata)
    infos = [_read_tensor_info(cursor) for _ in range(n_tensors)]
    data_start = -(-cursor.position // alignment) * alignment
    tensors = _place(cursor, infos, data_start, alignment)
    return GgufContainer(path, metadata, tensors, mapped)


class _Cursor:
    """A position in the mapped file that cannot leave it, and the budget of array items."""

    def __init__(self, path: Path, mapped: mmap.mmap) -> None:
        self.path = path
        self.mapped = mapped
        self.size = len(mapped)
        self.position = 0
        self.items_left = MAX_ARRAY_ITEMS

    def fail(self, what: str) -> UserError:
        return UserError(
            f"{self.path}: {what} at byte {self.position:,}; "
            "the file is damaged or not GGUF, get it again"
        )

    def need(self, n_bytes: int, what: str) -> None:
        if n_bytes > self.size - self.position:
            raise self.fail(f"{what} needs {n_bytes:,} bytes but the file ends first,")

    def number(self, form: str, what: str) -> Any:
        n_bytes = struct.calcsize(form)
        self.need(n_bytes, what)
        (value,) = struct.unpack_from(form, self.mapped, self.position)
        self.position += n_bytes
        return value

    def string(self, what: str, limit_bytes: int) -> str:
        n_bytes = self.number("<Q", what)
        if n_bytes > limit_bytes:
            raise self.fail(f"{what} claims {n_bytes:,} bytes (limit {limit_bytes:,})")
        self.need(n_bytes, what)
        raw = self.mapped[self.position : self.position + n_bytes]
        try:
            text = raw.decode("utf-8")
        except UnicodeDecodeError as error:
            raise self.fail(f"{what} is not UTF-8") from error
        self.position += n_bytes
        return text

    def value(self, kind: int, what: str, depth: int = 0) -> Any:
        if kind == STRING:
            return self.string(what, MAX_STRING_BYTES)
        if kind == ARRAY:
            return self.array(what, depth + 1)
        return self.number(self.scalar_format(kind, what), what)

    def scalar_format(self, kind: int, what: str) -> str:
        if kind not in SCALAR_FORMATS:
            raise self.fail(f"{what} has the unknown value type {kind}")
        return SCALAR_FORMATS[kind]

    def array(self, what: str, depth: int) -> list[Any]:
        if depth > MAX_ARRAY_DEPTH:
            raise self.fail(f"{what} nests arrays deeper than {MAX_ARRAY_DEPTH}")
        kind = self.number("<I", what)
        count = self.number("<Q", what)
        if count > self.items_left:
            raise self.fail(f"{what} claims {count:,} items (limit {MAX_ARRAY_ITEMS:,} per file)")
        self.items_left -= count
        if kind in (STRING, ARRAY):
            return [self.value(kind, what, depth) for _ in range(count)]
        return self.scalars(self.scalar_format(kind, what), count, what)

    def scalars(self, form: str, count: int, what: str) -> list[Any]:
        n_bytes = count * struct.calcsize(form)
        self.need(n_bytes, what)
        values = np.frombuffer(self.mapped, dtype=form, count=count, offset=self.position)
        self.position += n_bytes
        items: list[Any] = values.tolist()
        return items


def _read_counts(cursor: _Cursor) -> tuple[int, int]:
    cursor.position = len(GGUF_MAGIC)
    version = cursor.number("<I", "the version")
    if version not in VERSIONS:
        swapped = int.from_bytes(version.to_bytes(4, "little"), "big")
        known = "a big-endian file" if swapped in VERSIONS else f"version {version}"
        raise UserError(f"{cursor.path}: {known}; Herd reads little-endian GGUF versions 2 and 3")
    n_tensors = cursor.number("<Q", "the tensor count")
    n_keys = cursor.number("<Q", "the metadata count")
    if n_tensors > MAX_TENSORS:
        raise cursor.fail(f"the header claims {n_tensors:,} tensors (limit {MAX_TENSORS:,})")
    if n_keys > MAX_METADATA_KEYS:
        raise cursor.fail(f"the header claims {n_keys:,} keys (limit {MAX_METADATA_KEYS:,})")
    return n_tensors, n_keys


def _read_metadata(cursor: _Cursor, n_keys: int) -> dict[str, Any]:
    metadata: dict[str, Any] = {}
    for index in range(n_keys):
        key = cursor.string(f"metadata key {index}", MAX_NAME_BYTES)
        if key in metadata:
            raise cursor.fail(f"metadata key {key!r} occurs twice")
        what = f"metadata value {key!r}"
        metadata[key] = cursor.value(cursor.number("<I", what), what)
    return metadata


def _alignment(path: Path, metadata: Mapping[str, Any]) -> int:
    alignment = metadata.get("general.alignment", DEFAULT_ALIGNMENT_BYTES)
    is_count = isinstance(alignment, int) and not isinstance(alignment, bool)
    if is_count and 0 < alignment <= MAX_ALIGNMENT_BYTES and alignment & (alignment - 1) == 0:
        return int(alignment)
    shown = repr(alignment)[:40]
    raise UserError(f"{path}: general.alignment is {shown}, not a power of two; get it again")


def _read_tensor_info(cursor: _Cursor) -> GgufTensor:
    """One entry of the tensor table; its offset still counts from the start of the data."""
    from gguf.constants import GGMLQuantizationType

    name = cursor.string("a tensor name", MAX_NAME_BYTES)
    what = f"tensor {name!r}"
    n_dims = cursor.number("<I", what)
    if not 1 <= n_dims <= MAX_DIMENSIONS:
        raise cursor.fail(f"{what} has {n_dims} dimensions (1 to {MAX_DIMENSIONS} are possible)")
    inner_first = tuple(cursor.number("<Q", what) for _ in range(n_dims))
    type_number = cursor.number("<I", what)
    offset = cursor.number("<Q", what)
    try:
        tensor_type = GGMLQuantizationType(type_number)
    except ValueError as error:
        raise cursor.fail(f"{what} has the unknown type {type_number}") from error
    n_bytes = _stored_bytes(cursor, what, inner_first, tensor_type)
    return GgufTensor(name, tensor_type.name, inner_first[::-1], offset, n_bytes)


def _stored_bytes(
    cursor: _Cursor, what: str, inner_first: tuple[int, ...], tensor_type: GGMLQuantizationType
) -> int:
    from gguf.constants import GGML_QUANT_SIZES

    block, block_bytes = GGML_QUANT_SIZES[tensor_type]
    if min(inner_first) < 1 or inner_first[0] % block:
        shape = list(inner_first[::-1])
        raise cursor.fail(f"{what} has shape {shape}, impossible for type {tensor_type.name}")
    # Python integers do not overflow, so a product of huge dimensions simply exceeds the file.
    return prod(inner_first) // int(block) * int(block_bytes)


def _place(
    cursor: _Cursor, infos: list[GgufTensor], data_start: int, alignment: int
) -> dict[str, GgufTensor]:
    """Turn offsets into file positions; refuse what leaves the file, overlaps or repeats."""
    tensors: dict[str, GgufTensor] = {}
    end_of_last, last = data_start, "the header"
    for info in sorted(infos, key=lambda info: info.offset):
        what = f"tensor {info.name!r}"
        start = data_start + info.offset
        if info.name in tensors:
            raise cursor.fail(f"{what} occurs twice in the table that ends")
        if info.offset % alignment:
            raise cursor.fail(f"{what} is not aligned to {alignment} bytes in the table that ends")
        if start + info.n_bytes > cursor.size:
            raise UserError(
                f"{cursor.path}: {what} ends at byte {start + info.n_bytes:,} but the file has "
                f"{cursor.size:,}; it is truncated or damaged, get it again"
            )
        if start < end_of_last:
            raise cursor.fail(f"{what} overlaps {last!r} in the table that ends")
        end_of_last, last = start + info.n_bytes, info.name
        tensors[info.name] = GgufTensor(info.name, info.type, info.shape, start, info.n_bytes)
    return {info.name: tensors[info.name] for info in infos}
