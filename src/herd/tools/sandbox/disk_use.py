"""How much a running program has on disk.

In: its directory, its process's id. Out: bytes. Never: a link followed, or a walk that goes on once the limit
is passed; the program may be at work on what is being measured.
"""

from __future__ import annotations

import contextlib
import os
import stat

from herd.tools.sandbox.scratch import open_directory

ENTRY_BYTES = 4096  # what an entry counts for beside its blocks, so that empty files end too
MOST_LEVELS = 64  # the tree is walked with a descriptor for each level
N_LOOKS = 3


class UnmeasurableError(Exception):
    """The program made something whose size cannot be told; the message says what."""


def used_bytes(path: str, most: int, pid: int | None) -> int:
    """Return what the directory takes on disk, or some number above `most` as soon as it is passed.

    With the id of a running process, files count that it has deleted and still holds open. Raises
    UnmeasurableError for what could hide any amount: deleted files of which only a mapping is left,
    directories that may not be read or lie too deep.
    """
    usage = _Usage(most)
    try:
        usage.add_tree(open_directory(path), MOST_LEVELS)
    except PermissionError:
        raise UnmeasurableError("directories that may not be read") from None
    if pid is not None:
        _add_deleted(usage, path, pid)
    return usage.total


class _Usage:
    """Blocks of files, each counted once however many names it has."""

    def __init__(self, most: int) -> None:
        self.total, self.most = 0, most
        self._seen: set[tuple[int, int]] = set()

    def add(self, status: os.stat_result) -> None:
        """Add a file, unless it has been added."""
        inode = status.st_dev, status.st_ino
        if inode not in self._seen:
            self._seen.add(inode)
            self.total += status.st_blocks * 512

    def add_tree(self, directory: int, n_levels: int) -> None:
        """Add what lies beneath a directory, whose descriptor is closed."""
        try:
            if n_levels == 0:
                raise UnmeasurableError(f"directories more than {MOST_LEVELS} levels deep")
            with os.scandir(directory) as entries:
                for entry in entries:
                    if self.total > self.most:
                        return
                    self._add_entry(entry, directory, n_levels)
        finally:
            os.close(directory)

    def _add_entry(self, entry: os.DirEntry[str], directory: int, n_levels: int) -> None:
        with contextlib.suppress(FileNotFoundError, NotADirectoryError):  # gone, or replaced
            self.total += ENTRY_BYTES
            self.add(entry.stat(follow_symlinks=False))
            if entry.is_dir(follow_symlinks=False):
                self.add_tree(open_directory(entry.name, directory), n_levels - 1)


def live_threads(pid: int) -> list[str]:
    """Return the directories in /proc of a process's threads; none once it has ended."""
    with contextlib.suppress(OSError):
        return [f"/proc/{pid}/task/{thread}" for thread in os.listdir(f"/proc/{pid}/task")]
    return []


def _add_deleted(usage: _Usage, path: str, pid: int) -> None:
    inodes: set[int] = set()
    suspects: set[int] = set()
    for look in range(N_LOOKS):  # the program may open and close between one glance and the next
        for status in _deleted_open_files(pid):
            usage.add(status)
            inodes.add(status.st_ino)
        mapped = _deleted_mapped_files(path, pid) - inodes
        suspects = suspects & mapped if look else mapped
        if not suspects:
            return
    raise UnmeasurableError("deleted files that stay mapped")


def _deleted_open_files(pid: int) -> list[os.stat_result]:
    # All threads share their descriptors (seccomp sees to that), but one that has ended shows none.
    found: list[os.stat_result] = []
    for thread in live_threads(pid):
        descriptors: list[str] = []
        with contextlib.suppress(OSError):
            descriptors = os.listdir(f"{thread}/fd")
        for descriptor in descriptors:
            with contextlib.suppress(OSError):  # closed by now
                found.append(os.stat(f"{thread}/fd/{descriptor}"))
        if descriptors:
            break
    return [each for each in found if stat.S_ISREG(each.st_mode) and each.st_nlink == 0]


def _deleted_mapped_files(path: str, pid: int) -> set[int]:
    for thread in live_threads(pid):
        with contextlib.suppress(OSError), open(f"{thread}/maps", "rb") as file:
            if lines := file.read().splitlines():
                mark = os.fsencode(path) + b"/"
                deleted = (line for line in lines if line.endswith(b" (deleted)") and mark in line)
                return {int(line.split()[4]) for line in deleted}
    return set()
