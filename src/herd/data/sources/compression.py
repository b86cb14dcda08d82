"""Open a compressed file as the stream inside it.

In: a binary stream and a name ending in .gz, .xz, .bz2, .zst or none of them.
Out: a buffered stream of the content, which raises one of BROKEN when it is truncated or corrupt.
Never: more than one block in memory, whatever the file claims to hold.
"""

import bz2
import gzip
import io
import lzma
import zlib
from typing import Any, BinaryIO, cast

from herd.foundation import missing_library

SUFFIXES = (".gz", ".xz", ".bz2", ".zst")
# A zstd block of 4 bytes may stand for 128 KiB, so compressed input is taken in small bites.
ZSTD_READ_BYTES = 512


class CorruptStream(Exception):  # noqa: N818
    """A compressed stream ended early or made no sense."""


BROKEN = (CorruptStream, EOFError, zlib.error, lzma.LZMAError, OSError)


def without_compression(name: str) -> str:
    """Return a file name without the suffix of its compression."""
    for suffix in SUFFIXES:
        if name.lower().endswith(suffix):
            return name[: -len(suffix)]
    return name


def open_decompressed(stream: BinaryIO, name: str) -> BinaryIO:
    """Return the stream inside `stream`. Raises UserError for .zst without the zstandard library."""
    lower = name.lower()
    if lower.endswith(".gz"):
        return cast(BinaryIO, gzip.GzipFile(fileobj=stream))
    if lower.endswith(".xz"):
        return cast(BinaryIO, lzma.LZMAFile(stream))
    if lower.endswith(".bz2"):
        return cast(BinaryIO, bz2.BZ2File(stream))
    if lower.endswith(".zst"):
        return io.BufferedReader(_ZstdStream(stream), buffer_size=1 << 17)
    return stream


class _ZstdStream(io.RawIOBase):
    """The library's own reader takes a truncated file for a whole one; this one does not."""

    def __init__(self, compressed: BinaryIO) -> None:
        try:
            import zstandard
        except ImportError:
            raise missing_library("reading .zst", "zstandard", "data") from None
        self._errors = zstandard.ZstdError
        self._decompressor = zstandard.ZstdDecompressor()
        self._compressed = compressed
        self._frame: Any = None
        self._unread = b""  # compressed bytes after the end of a frame
        self._ready = memoryview(b"")

    def readable(self) -> bool:
        return True

    def readinto(self, buffer: Any) -> int:
        while not self._ready and self._fill():
            pass
        n_bytes = min(len(buffer), len(self._ready))
        buffer[:n_bytes] = self._ready[:n_bytes]
        self._ready = self._ready[n_bytes:]
        return n_bytes

    def _fill(self) -> bool:
        data = self._unread or self._compressed.read(ZSTD_READ_BYTES)
        self._unread = b""
        if not data:
            if self._frame is not None:
                raise CorruptStream("the zstd stream ends early")
            return False
        try:
            self._frame = self._frame or self._decompressor.decompressobj()
            self._ready = memoryview(self._frame.decompress(data))
        except self._errors as error:
            raise CorruptStream(str(error)) from error
        if self._frame.eof:
            self._unread, self._frame = self._frame.unused_data, None
        return True
