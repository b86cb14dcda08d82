"""Bring the file at a URL to a path: resumable, checked, atomic.

The bytes go to `NAME.part` beside the target and are renamed when they are all there and, if a digest
was given, right. A cut connection is tried again from where it stopped; what is left of a failed
attempt is picked up by the next call, guarded by the server's ETag or date of change (or the digest),
so that two versions of a file are never spliced.
In: a URL (http, https, file) and a path. Out: the path. Never: a half-written file under the target's name.
"""

import shutil
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING
from urllib.parse import unquote, urlsplit

from herd.foundation.download_part import DownloadPart
from herd.foundation.errors import UserError
from herd.foundation.files import DISK_FULL, sha256_file

if TYPE_CHECKING:
    import requests


def download(
    url: str,
    path: Path | str,
    *,
    sha256: str | None = None,
    description: str = "",
    session: "requests.Session | None" = None,
) -> Path:
    """Bring `url` to `path` and return it; a file already there with the right digest is kept.

    Raises UserError when the server cannot be reached or refuses, the digest differs, the disk is
    full, or another process is at the same download.
    """
    from filelock import FileLock, Timeout

    path = Path(path)
    if sha256 and path.is_file() and sha256_file(path) == sha256:
        return path
    _make_directory(path.parent)
    part = DownloadPart.beside(path)
    lock_path = path.with_name(path.name + ".lock")
    try:
        with FileLock(lock_path, timeout=0):
            _complete(url, part, sha256, description or f"downloading {path.name}", session)
            part.path.replace(path)
            part.remove()
            lock_path.unlink(missing_ok=True)
    except Timeout:
        raise UserError(f"{path}: another process is downloading it; wait for that one") from None
    except OSError as error:
        raise _file_error(path, part, error) from error
    return path


def _make_directory(directory: Path) -> None:
    try:
        directory.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise UserError(f"{directory}: cannot make this directory ({error.strerror})") from error


def _complete(
    url: str,
    part: DownloadPart,
    sha256: str | None,
    description: str,
    session: "requests.Session | None",
) -> None:
    """Fill the part file; a resumed one with the wrong digest is fetched once more from nothing."""
    if urlsplit(url).scheme == "file":
        shutil.copyfile(unquote(urlsplit(url).path), part.path)
    elif urlsplit(url).scheme in ("http", "https"):
        from herd.foundation.http_transfer import fetch

        fetch_once = partial(
            fetch,
            url,
            part,
            digest_known=sha256 is not None,
            description=description,
            session=session,
        )
        resumed = fetch_once()
        if sha256 and resumed and sha256_file(part.path) != sha256:
            part.remove()
            fetch_once()
    else:
        raise UserError(f"{url}: not a http, https or file URL; give one of these")
    _check_digest(url, part, sha256)


def _check_digest(url: str, part: DownloadPart, sha256: str | None) -> None:
    if sha256 is None:
        return
    found = sha256_file(part.path)
    if found != sha256:
        part.remove()
        raise UserError(
            f"{url}: SHA-256 is {found}, expected {sha256}; nothing was kept. "
            "Try again, and if it stays so do not trust the source"
        )


def _file_error(path: Path, part: DownloadPart, error: OSError) -> UserError:
    if error.errno in DISK_FULL:
        part.remove()
        return UserError(
            f"{path}: the disk is full; nothing was kept. Free some space and try again"
        )
    return UserError(f"{error.filename or path}: {error.strerror or error}")
