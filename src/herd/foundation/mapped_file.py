"""A file as memory, without reading it and without being able to change it.

In: a path. Out: a private copy-on-write map: writing to it (training loaded weights in place)
never reaches the file, and only pages that are touched cost memory.
Never: what the bytes mean.
"""

import mmap
import sys
from pathlib import Path

from herd.foundation.errors import UserError

LINUX_MAP_NORESERVE = 0x4000  # asm-generic/mman-common.h; Python's mmap does not name it


def map_file(path: Path | str) -> mmap.mmap:
    """Map the whole file. Raises UserError when it is absent, empty, no plain file, or closed."""
    path = Path(path)
    if not path.is_file():  # also keeps us from waiting on a pipe
        raise UserError(f"{path}: no such file")
    try:
        with path.open("rb") as file:
            return _map(file.fileno())
    except ValueError as error:  # mmap's word for a file of no bytes
        raise UserError(f"{path}: the file is empty; get it again") from error
    except OSError as error:
        raise UserError(f"{path}: cannot be read: {error.strerror or error}") from error


def _map(descriptor: int) -> mmap.mmap:
    if sys.platform != "linux":
        return mmap.mmap(descriptor, 0, access=mmap.ACCESS_COPY)
    # Without MAP_NORESERVE the kernel refuses a writable private map larger than memory.
    flags = mmap.MAP_PRIVATE | LINUX_MAP_NORESERVE
    return mmap.mmap(descriptor, 0, flags=flags, prot=mmap.PROT_READ | mmap.PROT_WRITE)
