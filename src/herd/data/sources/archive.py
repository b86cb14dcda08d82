"""The files inside a source distribution, read in place and never unpacked.

In: a tar archive (compressed or not) or a zip. Out: (name, stream) of its regular files, in order.
Never: links, devices, names that point outside, or more bytes than the bounds below.
"""

import io
import tarfile
import zipfile
from collections.abc import Iterator
from pathlib import Path, PurePosixPath
from typing import BinaryIO, cast

from herd.data.sources.compression import BROKEN, open_decompressed
from herd.data.tally import Tally
from herd.foundation import UserError, format_bytes

MAX_MEMBERS = 200_000
MAX_MEMBER_BYTES = 1 << 30
MAX_TOTAL_BYTES = 8 << 30
MAX_READ_BYTES = 64 << 20  # a header that claims to be longer than this is a trap
ARCHIVE_BROKEN = (tarfile.TarError, zipfile.BadZipFile, *BROKEN)


def read_archive(path: Path, tally: Tally) -> Iterator[tuple[str, BinaryIO]]:
    """Yield the regular members. Raises UserError when the archive is damaged or beyond the bounds."""
    try:
        yield from (_zip_members if path.suffix == ".zip" else _tar_members)(path, tally)
    except ARCHIVE_BROKEN as error:
        raise UserError(
            f"{path}: damaged archive ({error}); remove it and fetch it again"
        ) from error


def _tar_members(path: Path, tally: Tally) -> Iterator[tuple[str, BinaryIO]]:
    name = path.name[: -len(".tgz")] + ".tar.gz" if path.suffix == ".tgz" else path.name
    with path.open("rb") as file:
        bounded = cast(BinaryIO, _Bounded(open_decompressed(file, name), path))
        with tarfile.open(fileobj=bounded, mode="r:") as tar:
            for number, member in enumerate(tar):
                if not member.isfile():
                    if not member.isdir():
                        tally.note("read", "link or device in an archive", member.name)
                    continue
                if _is_acceptable(member.name, member.size, number, path, tally):
                    yield member.name, cast(BinaryIO, tar.extractfile(member))


def _zip_members(path: Path, tally: Tally) -> Iterator[tuple[str, BinaryIO]]:
    with zipfile.ZipFile(path) as archive:
        if sum(member.file_size for member in archive.infolist()) > MAX_TOTAL_BYTES:
            raise UserError(f"{path}: more than {format_bytes(MAX_TOTAL_BYTES)} inside; unpack it")
        for number, member in enumerate(archive.infolist()):
            if member.is_dir():
                continue
            if _is_acceptable(member.filename, member.file_size, number, path, tally):
                with archive.open(member) as stream:
                    yield member.filename, cast(BinaryIO, stream)


def _is_acceptable(name: str, n_bytes: int, number: int, path: Path, tally: Tally) -> bool:
    if number >= MAX_MEMBERS:
        raise UserError(
            f"{path}: more than {MAX_MEMBERS} files inside; unpack it and give the folder"
        )
    inside = PurePosixPath(name)
    if inside.is_absolute() or ".." in inside.parts:
        tally.note("read", "name pointing outside its archive", name)
        return False
    if n_bytes > MAX_MEMBER_BYTES:
        tally.note("read", f"over {format_bytes(MAX_MEMBER_BYTES)} in an archive", name)
        return False
    return True


class _Bounded(io.RawIOBase):
    """A stream that stops a bomb: too much in all, or too much at once."""

    def __init__(self, stream: BinaryIO, path: Path) -> None:
        self._stream, self._path = stream, path

    def readable(self) -> bool:
        return True

    def seekable(self) -> bool:
        return True

    def read(self, size: int = -1) -> bytes:
        if not 0 <= size <= MAX_READ_BYTES:
            raise UserError(
                f"{self._path}: a header inside claims {size} bytes; the archive is a trap"
            )
        self._require_within(self._stream.tell() + size)
        return self._stream.read(size)

    def seek(self, offset: int, whence: int = io.SEEK_SET) -> int:
        if whence != io.SEEK_SET:
            raise io.UnsupportedOperation("only absolute positions")
        self._require_within(offset)
        return self._stream.seek(offset)

    def tell(self) -> int:
        return self._stream.tell()

    def _require_within(self, position: int) -> None:
        if position > MAX_TOTAL_BYTES:
            raise UserError(
                f"{self._path}: more than {format_bytes(MAX_TOTAL_BYTES)} inside; "
                "unpack it and give the folder"
            )
