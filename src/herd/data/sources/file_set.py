"""The files of a location, wherever they lie: how they are listed and how each is opened.

In: a directory or file here, or a URL of any file system that fsspec knows. Out: entries in an order
that is the same everywhere; binary streams. Never: a link followed out of the location.
"""

from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any, BinaryIO, Protocol, cast

from herd.data.sources.tree import walk
from herd.data.tally import Tally
from herd.foundation import UserError, missing_library

URL_MARK = "://"
PATTERN_MARKS = ("*", "?", "[")


@dataclass(frozen=True, slots=True)
class FileEntry:
    """A file: its path below the location, its length, and what changes when it does."""

    inside: str
    n_bytes: int
    stamp: str


class FileSet(Protocol):
    """The files below a location."""

    def entries(self, tally: Tally) -> Iterator[FileEntry]:
        """Yield the files in order; what cannot be read is counted."""

    def open(self, inside: str) -> BinaryIO:
        """Open one of them. Raises OSError."""


@dataclass(frozen=True, slots=True)
class LocalDirectory:
    """A directory of this machine."""

    root: Path

    def entries(self, tally: Tally) -> Iterator[FileEntry]:
        """Yield the regular files, sorted by name within each directory."""
        for path in walk(self.root, tally):
            yield _entry(path, path.relative_to(self.root).as_posix())

    def open(self, inside: str) -> BinaryIO:
        """Open a file by its path below the directory."""
        return (self.root / inside).open("rb")


@dataclass(frozen=True, slots=True)
class LocalFile:
    """One file of this machine."""

    path: Path

    def entries(self, tally: Tally) -> Iterator[FileEntry]:
        """Yield the file. Raises UserError when it is no regular one."""
        if not self.path.is_file():
            raise UserError(f"{self.path}: neither a regular file nor a directory")
        yield _entry(self.path, self.path.name)

    def open(self, inside: str) -> BinaryIO:
        """Open the file."""
        return self.path.open("rb")


@dataclass(frozen=True, slots=True)
class RemoteFiles:
    """The files below a URL, or those that a pattern in it matches."""

    url: str

    def entries(self, tally: Tally) -> Iterator[FileEntry]:
        """Yield the files, sorted. Raises UserError when the place cannot be listed."""
        system, root = self._system()
        try:
            for path in _listing(system, root):
                details = system.info(path)
                stamp = [str(details.get(key, "")) for key in ("ETag", "mtime", "LastModified")]
                n_bytes = int(details.get("size") or 0)
                yield FileEntry(_below(path, root), n_bytes, " ".join([str(n_bytes), *stamp]))
        except (OSError, ValueError) as error:
            raise UserError(f"{self.url}: cannot be listed: {error}") from error

    def open(self, inside: str) -> BinaryIO:
        """Open a file by its path below the URL."""
        system, root = self._system()
        for path in _listing(system, root):
            if _below(path, root) == inside:
                return cast(BinaryIO, system.open(path, "rb"))
        raise FileNotFoundError(inside)

    def _system(self) -> tuple[Any, str]:
        try:
            import fsspec
        except ImportError:
            raise missing_library(f"reading {self.url}", "fsspec", "data") from None
        try:
            system, root = fsspec.core.url_to_fs(self.url)
        except ImportError as error:
            raise missing_library(f"reading {self.url}", str(error), "remote") from None
        except ValueError as error:
            raise UserError(f"{self.url}: {error}") from error
        return system, str(root)


def file_set_of(location: str) -> FileSet:
    """Return the files of a location. Raises UserError when there is nothing there."""
    if URL_MARK in location:
        return RemoteFiles(location)
    path = Path(location).expanduser()
    if path.is_dir():
        return LocalDirectory(path)
    if path.exists():
        return LocalFile(path)
    raise UserError(
        f"{location}: no such file or directory; a source is one of these, a URL, pypi:NAME==VERSION "
        "or python:stdlib"
    )


def _entry(path: Path, inside: str) -> FileEntry:
    status = path.stat()
    return FileEntry(inside, status.st_size, f"{status.st_size} {status.st_mtime_ns}")


def _listing(system: Any, root: str) -> list[str]:
    if any(mark in root for mark in PATTERN_MARKS):
        return sorted(path for path in system.glob(root) if system.isfile(path))
    if system.isfile(root):
        return [root]
    found = sorted(system.find(root))
    if not found:
        raise FileNotFoundError("nothing there")
    return found


def _below(path: str, root: str) -> str:
    """The path below what stands before any pattern; of a single file its name."""
    fixed = root
    for mark in PATTERN_MARKS:
        fixed = fixed.partition(mark)[0]
    if fixed != root:
        fixed = fixed.rpartition("/")[0]
    inside = path.removeprefix(fixed).lstrip("/")
    return inside or path.rpartition("/")[2]
