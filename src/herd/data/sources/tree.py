"""The files below a directory, in an order that is the same everywhere.

Links within the directory are followed, each real directory once, so that a loop ends.
In: a directory. Out: paths of regular files; the rest is counted and named.
"""

import os
import stat
from collections.abc import Iterator
from pathlib import Path

from herd.data.tally import Tally

GENERATED = frozenset({"__pycache__", "node_modules", "site-packages", "dist-packages"})


def walk(root: Path, tally: Tally) -> Iterator[Path]:
    """Yield the regular files below `root`, sorted by name within each directory."""
    yield from _walk(root, root.resolve(), set(), tally)


def _walk(directory: Path, top: Path, seen: set[tuple[int, int]], tally: Tally) -> Iterator[Path]:
    try:
        status = directory.stat()
        names = sorted(os.listdir(directory))
    except OSError:
        tally.note("read", "unreadable directory", str(directory))
        return
    if (status.st_dev, status.st_ino) in seen:
        tally.note("read", "link to a directory already read", str(directory))
        return
    seen.add((status.st_dev, status.st_ino))
    for name in names:
        path = directory / name
        if name.startswith(".") or name in GENERATED:
            tally.count("read", "hidden or generated")
            continue
        if path.is_symlink() and not Path(os.path.realpath(path)).is_relative_to(top):
            tally.note("read", "link out of the folder", str(path))
            continue
        try:
            mode = path.stat().st_mode
        except OSError:
            tally.note("read", "unreadable file", str(path))
            continue
        if stat.S_ISDIR(mode):
            yield from _walk(path, top, seen, tally)
        elif stat.S_ISREG(mode):
            yield path
        else:  # a pipe would block, a device never end
            tally.note("read", "not a regular file", str(path))
