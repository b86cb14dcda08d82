"""Files that are either whole or absent.

In: a path and content, or a block of code that writes it.
Out: the finished file or directory under its name, flushed to disk; on any failure nothing.
Never: half a file under a final name.
"""

import contextlib
import errno
import hashlib
import json
import os
import shutil
import tempfile
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from herd.foundation.errors import UserError

READ_CHUNK_BYTES = 1 << 20
DISK_FULL = {errno.ENOSPC, errno.EDQUOT, errno.EFBIG}
NUMPY_CUT_SHORT = "requested and"  # "200 requested and 30 written", without a number
UNWRITABLE = {errno.EROFS, errno.ELOOP, errno.ENAMETOOLONG}
REFUSALS = (PermissionError, NotADirectoryError, FileExistsError)  # the last: a file, no directory
PARTIAL_MARK = ".partial-"  # names with this inside were never finished


def write_text(path: Path | str, text: str) -> None:
    """Replace the file at `path` by `text` (UTF-8) in one step.

    Raises UserError when the disk is full or the place cannot be written.
    """
    with atomic_file(path) as partial:
        partial.write_bytes(text.encode("utf-8"))


def write_json(path: Path | str, value: Any) -> None:
    """Replace the file at `path` by `value` as indented JSON in one step."""
    text = json.dumps(value, indent=2, ensure_ascii=False)
    if not _is_unicode(text):  # a file's name that is no UTF-8: escaped, JSON can say it
        text = json.dumps(value, indent=2)
    write_text(path, text + "\n")


def _is_unicode(text: str) -> bool:
    try:
        text.encode("utf-8")
    except UnicodeEncodeError:
        return False
    return True


@contextlib.contextmanager
def atomic_file(path: Path | str) -> Iterator[Path]:
    """Yield a temporary path in the same directory; rename it to `path` if the block succeeds.

    On failure the temporary file is removed and whatever stood at `path` stays as it was.
    Raises UserError when the disk is full or the place cannot be written.
    """
    path = Path(path)
    if path.exists() and not (path.is_file() or path.is_dir()):  # a device, a pipe: they stay
        raise UserError(f"{path} is no file that could be replaced; choose another name")
    with explain_write_errors(path):
        path.parent.mkdir(parents=True, exist_ok=True)
        partial = _partial_name(path)
        try:
            yield partial
            _flush_file(partial)
            partial.chmod(0o666 & ~_current_umask())
            os.replace(partial, path)
            _flush_directory(path.parent)
        finally:
            partial.unlink(missing_ok=True)


@contextlib.contextmanager
def atomic_directory(path: Path | str, *, replace: bool = False) -> Iterator[Path]:
    """Yield a temporary directory beside `path`; rename it to `path` if the block succeeds.

    With `replace`, an existing directory makes way at the last moment and comes back should the
    rename fail. Raises UserError when `path` exists without `replace`, or cannot be written.
    """
    path = Path(path)
    if path.exists() and not replace:
        raise UserError(f"{path} already exists; choose another name or remove it")
    with explain_write_errors(path):
        path.parent.mkdir(parents=True, exist_ok=True)
        partial = Path(tempfile.mkdtemp(prefix=f".{path.name}{PARTIAL_MARK}", dir=path.parent))
        partial.chmod(0o777 & ~_current_umask())
        try:
            yield partial
            _flush_tree(partial)
            _swap_in(partial, path)
            _flush_directory(path.parent)
        finally:
            shutil.rmtree(partial, ignore_errors=True)


def remove_partials(directory: Path | str) -> None:
    """Remove what a killed process left unfinished in `directory`."""
    for leftover in Path(directory).glob(f".*{PARTIAL_MARK}*"):
        if leftover.is_dir() and not leftover.is_symlink():
            shutil.rmtree(leftover, ignore_errors=True)
        else:
            leftover.unlink(missing_ok=True)


def read_json(path: Path | str) -> Any:
    """Return the JSON value in a file. Raises UserError when it is absent or not JSON."""
    try:
        return json.loads(Path(path).read_bytes())
    except OSError as error:
        raise UserError(f"cannot read {path}: {error.strerror or error}") from error
    except (ValueError, RecursionError) as error:
        raise UserError(f"{path} is not valid JSON ({error}); restore or remake it") from error


def sha256_file(path: Path | str) -> str:
    """Return the SHA-256 of a file's bytes in hexadecimal."""
    digest = hashlib.sha256()
    with open(path, "rb") as file:
        while chunk := file.read(READ_CHUNK_BYTES):
            digest.update(chunk)
    return digest.hexdigest()


@contextlib.contextmanager
def explain_write_errors(path: Path | str) -> Iterator[None]:
    """Turn the operating system's refusals to write below `path` into one clear line."""
    try:
        yield
    except OSError as error:
        if error.errno in DISK_FULL or NUMPY_CUT_SHORT in str(error):
            message = f"no space left on the disk while writing {path}; free some and run again"
            raise UserError(message) from error
        if isinstance(error, REFUSALS) or error.errno in UNWRITABLE:
            raise UserError(f"cannot write {path}: {error.strerror}") from error
        raise


def _partial_name(path: Path) -> Path:
    handle, name = tempfile.mkstemp(prefix=f".{path.name}{PARTIAL_MARK}", dir=path.parent)
    os.close(handle)
    return Path(name)


def _swap_in(partial: Path, path: Path) -> None:
    if not path.exists():
        os.replace(partial, path)
        return
    old = Path(tempfile.mkdtemp(prefix=f".{path.name}{PARTIAL_MARK}old-", dir=path.parent))
    try:
        os.replace(path, old / path.name)
        os.replace(partial, path)
    except BaseException:  # Ctrl-C included: whatever happens between the two, one of them is there
        if not path.exists():
            os.replace(old / path.name, path)
        raise
    finally:
        shutil.rmtree(old, ignore_errors=True)


def _flush_tree(directory: Path) -> None:
    for folder, _, names in os.walk(directory):
        for name in names:
            _flush_file(Path(folder) / name)
            (Path(folder) / name).chmod(0o666 & ~_current_umask())  # some libraries write 0600
        _flush_directory(Path(folder))


def _flush_file(path: Path) -> None:
    with open(path, "rb") as file:
        os.fsync(file.fileno())


def _flush_directory(path: Path) -> None:
    handle = os.open(path, os.O_RDONLY)
    try:
        os.fsync(handle)
    finally:
        os.close(handle)


def _current_umask() -> int:
    mask = os.umask(0)
    os.umask(mask)
    return mask
