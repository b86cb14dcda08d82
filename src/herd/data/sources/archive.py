"""The files inside an archive, read in place and never unpacked.

In: a tar archive (compressed or not) or a zip. Out: (name, stream) of its regular files, in order.
Never: links, devices, names that point outside, or more bytes than the bounds below.
"""

import io
import stat
import tarfile
import zipfile
from collections.abc import Iterator
from pathlib import Path, PurePosixPath
from typing import BinaryIO, cast

from herd.data.sources.compression import BROKEN, open_decompressed, without_compression
from herd.data.tally import Tally
from herd.foundation import UserError, format_bytes

MAX_MEMBERS = 200_000
LINK = "link or device in an archive"
ARCHIVE_TRAP = "archive beyond the bounds"
MAX_MEMBER_BYTES = 1 << 30
MAX_TOTAL_BYTES = 8 << 30
MAX_READ_BYTES = 64 << 20  # a header that claims to be longer than this is a trap


class ArchiveTrapError(UserError):
    """An archive with more inside than anybody meant to read."""


ARCHIVE_BROKEN = (tarfile.TarError, zipfile.BadZipFile, *BROKEN)


def read_archive(path: Path, tally: Tally) -> Iterator[tuple[str, BinaryIO]]:
    """Yield the regular members. Raises UserError when the archive is damaged or beyond the bounds."""
    try:
        with path.open("rb") as file:
            yield from _members(file, path.name, tally)
    except ARCHIVE_BROKEN as error:
        raise UserError(
            f"{path}: damaged archive ({error}); remove it and fetch it again"
        ) from error


def read_members(stream: BinaryIO, name: str, tally: Tally) -> Iterator[tuple[str, BinaryIO]]:
    """Yield the regular members of an archive among other files: what is wrong with it is counted.

    An archive inside it is left out, so that one that holds itself comes to an end.
    """
    try:
        for inside, member in _members(stream, name, tally):
            if is_archive(inside):
                tally.note("read", "archive inside an archive", f"{name}/{inside}")
            else:
                yield inside, member
    except ArchiveTrapError:
        tally.note("read", ARCHIVE_TRAP, name)
    except UserError:  # a library is missing, which is no fault of the archive
        raise
    except (*ARCHIVE_BROKEN, RuntimeError, NotImplementedError, ValueError):
        tally.note("read", "corrupt, truncated or encrypted archive", name)


def is_archive(name: str) -> bool:
    """Whether a name says zip or tar, compressed or not."""
    plain = without_compression(name.lower())
    return plain.endswith((".zip", ".tar", ".tgz"))


def _members(stream: BinaryIO, name: str, tally: Tally) -> Iterator[tuple[str, BinaryIO]]:
    return (_zip_members if name.lower().endswith(".zip") else _tar_members)(stream, name, tally)


def _tar_members(file: BinaryIO, name: str, tally: Tally) -> Iterator[tuple[str, BinaryIO]]:
    whole = name[: -len(".tgz")] + ".tar.gz" if name.lower().endswith(".tgz") else name
    bounded = cast(BinaryIO, _Bounded(open_decompressed(file, whole), name))
    with tarfile.open(fileobj=bounded, mode="r:") as tar:
        for number, member in enumerate(tar):
            if not member.isfile():
                if not member.isdir():
                    tally.note("read", LINK, member.name)
                continue
            if _is_acceptable(member.name, member.size, number, name, tally):
                yield member.name, cast(BinaryIO, tar.extractfile(member))


def _zip_members(file: BinaryIO, name: str, tally: Tally) -> Iterator[tuple[str, BinaryIO]]:
    with zipfile.ZipFile(file) as archive:
        if sum(member.file_size for member in archive.infolist()) > MAX_TOTAL_BYTES:
            raise ArchiveTrapError(
                f"{name}: more than {format_bytes(MAX_TOTAL_BYTES)} inside; unpack it"
            )
        for number, member in enumerate(archive.infolist()):
            if member.is_dir():
                continue
            if stat.S_ISLNK(member.external_attr >> 16):  # where Unix keeps a file's mode
                tally.note("read", LINK, member.filename)
                continue
            if _is_acceptable(member.filename, member.file_size, number, name, tally):
                with archive.open(member) as stream:
                    yield member.filename, cast(BinaryIO, stream)


def _is_acceptable(name: str, n_bytes: int, number: int, archive: str, tally: Tally) -> bool:
    if number >= MAX_MEMBERS:
        raise ArchiveTrapError(
            f"{archive}: more than {MAX_MEMBERS} files inside; unpack it and give the folder"
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

    def __init__(self, stream: BinaryIO, name: str) -> None:
        self._stream, self._name = stream, name

    def readable(self) -> bool:
        return True

    def seekable(self) -> bool:
        return True

    def read(self, size: int = -1) -> bytes:
        if not 0 <= size <= MAX_READ_BYTES:
            raise ArchiveTrapError(
                f"{self._name}: a header inside claims {size} bytes; the archive is a trap"
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
            raise ArchiveTrapError(
                f"{self._name}: more than {format_bytes(MAX_TOTAL_BYTES)} inside; "
                "unpack it and give the folder"
            )
