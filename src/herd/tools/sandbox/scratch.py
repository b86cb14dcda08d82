"""The one directory that a program may write to: made, and removed whatever the program left in it.

In: nothing. Out: a directory for the length of a block. Never: a link followed, a path longer than the system
allows, or a tree so deep that Python gives up.
"""

from __future__ import annotations

import contextlib
import os
import secrets
import stat
import tempfile
from collections.abc import Iterator


@contextlib.contextmanager
def scratch_directory() -> Iterator[str]:
    """Make an empty directory that is gone after the block. Nobody may be writing to it by then."""
    path = os.path.realpath(tempfile.mkdtemp(prefix="herd-sandbox-"))
    try:
        yield path
    finally:
        remove_tree(path)


def remove_tree(path: str) -> None:
    """Remove a directory, however deep: what lies two levels down is moved up before it is removed."""
    top = open_directory(path)
    try:
        while names := os.listdir(top):
            for name in names:
                if not _is_directory(name, top):
                    os.unlink(name, dir_fd=top)
                    continue
                os.chmod(name, 0o700, dir_fd=top)
                _flatten(name, top)
                os.rmdir(name, dir_fd=top)
    finally:
        os.close(top)
    os.rmdir(path)


def _flatten(name: str, top: int) -> None:
    """Empty one directory of `top`: its files are removed, its directories moved to `top`."""
    inner = open_directory(name, top)
    try:
        for entry in os.listdir(inner):
            if _is_directory(entry, inner):
                os.chmod(entry, 0o700, dir_fd=inner)  # moving a directory writes to it
                os.rename(entry, secrets.token_hex(16), src_dir_fd=inner, dst_dir_fd=top)
            else:
                os.unlink(entry, dir_fd=inner)
    finally:
        os.close(inner)


def _is_directory(name: str, parent: int) -> bool:
    return stat.S_ISDIR(os.stat(name, dir_fd=parent, follow_symlinks=False).st_mode)


def open_directory(name: str, parent: int | None = None) -> int:
    """Return a descriptor of a directory, which is not a link to one."""
    flags = os.O_RDONLY | os.O_DIRECTORY | os.O_NOFOLLOW | os.O_CLOEXEC
    return os.open(name, flags, dir_fd=parent)
