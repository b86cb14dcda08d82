"""Bring the file at a URL to a path: resumable, checked, atomic.

The bytes go to `NAME.part` beside the target and are renamed when they are all there and, if a digest
was given, right. A cut connection is tried again from where it stopped; what is left of a failed
attempt is picked up by the next call, guarded by the server's ETag or date of change (or the digest),
so that two versions of a file are never spliced.
In: a URL (http, https, file) and a path. Out: the path. Never: a half-written file under the target's name.
"""

import errno
import shutil
import time
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import BinaryIO
from urllib.parse import unquote, urlsplit

import requests
from filelock import FileLock, Timeout

from herd.foundation.errors import UserError
from herd.foundation.files import DISK_FULL, sha256_file
from herd.foundation.progress import Progress, progress_bar

CHUNK_BYTES = 1 << 20
CONNECT_TIMEOUT_S = 15.0
READ_TIMEOUT_S = 60.0
# Attempts in a row that bring nothing before giving up; any progress starts the count again.
MAX_FRUITLESS_ATTEMPTS = 4
RETRY_WAIT_S = 0.5
BROKEN_OFF = (
    requests.ConnectionError,
    requests.Timeout,
    requests.exceptions.ChunkedEncodingError,
)


@dataclass(frozen=True)
class _Part:
    """The unfinished file, and beside it the validator (ETag or date) of what it is a part of."""

    path: Path
    validator_path: Path

    def n_bytes(self) -> int:
        return self.path.stat().st_size if self.path.exists() else 0

    def validator(self) -> str:
        path = self.validator_path
        return path.read_text("ascii", "replace") if path.exists() else ""

    def remove(self) -> None:
        self.path.unlink(missing_ok=True)
        self.validator_path.unlink(missing_ok=True)


def download(
    url: str,
    path: Path | str,
    *,
    sha256: str | None = None,
    description: str = "",
    session: requests.Session | None = None,
) -> Path:
    """Bring `url` to `path` and return it; a file already there with the right digest is kept.

    Raises UserError when the server cannot be reached or refuses, the digest differs, the disk is
    full, or another process is at the same download.
    """
    path = Path(path)
    if sha256 and path.is_file() and sha256_file(path) == sha256:
        return path
    _make_directory(path.parent)
    part = _Part(*(path.with_name(path.name + end) for end in (".part", ".part.validator")))
    lock_path = path.with_name(path.name + ".lock")
    try:
        with FileLock(lock_path, timeout=0):
            _complete(url, part, sha256, description or f"downloading {path.name}", session)
            part.path.replace(path)
            part.remove()
            lock_path.unlink(missing_ok=True)
    except Timeout:
        raise UserError(f"{path}: another process is downloading it; wait for that one") from None
    except requests.RequestException as error:
        raise UserError(_explain(url, error, part.n_bytes())) from error
    except OSError as error:
        raise _file_error(path, part, error) from error
    return path


def _make_directory(directory: Path) -> None:
    try:
        directory.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise UserError(f"{directory}: cannot make this directory ({error.strerror})") from error


def _complete(
    url: str, part: _Part, sha256: str | None, description: str, session: requests.Session | None
) -> None:
    """Fill the part file; a resumed one with the wrong digest is fetched once more from nothing."""
    if urlsplit(url).scheme == "file":
        shutil.copyfile(unquote(urlsplit(url).path), part.path)
    elif urlsplit(url).scheme in ("http", "https"):
        session = session or requests.Session()
        if sha256 is None and not part.validator():
            part.remove()
        resumed = _fetch(url, part, description, session)
        if sha256 and resumed and sha256_file(part.path) != sha256:
            part.remove()
            _fetch(url, part, description, session)
    else:
        raise UserError(f"{url}: not a http, https or file URL; give one of these")
    _check_digest(url, part, sha256)


def _check_digest(url: str, part: _Part, sha256: str | None) -> None:
    if sha256 is None:
        return
    found = sha256_file(part.path)
    if found != sha256:
        part.remove()
        raise UserError(
            f"{url}: SHA-256 is {found}, expected {sha256}; nothing was kept. "
            "Try again, and if it stays so do not trust the source"
        )


def _fetch(url: str, part: _Part, description: str, session: requests.Session) -> bool:
    """Request until the part file is whole; True if it began with bytes of an earlier call."""
    began_with = part.n_bytes()
    fruitless = 0
    while True:
        n_before = part.n_bytes()
        try:
            _request(url, part, description, session)
            return began_with > 0
        except (
            requests.ConnectionError,
            requests.Timeout,
            requests.exceptions.ChunkedEncodingError,
        ):
            fruitless = 0 if part.n_bytes() > n_before else fruitless + 1
            if fruitless >= MAX_FRUITLESS_ATTEMPTS or part.n_bytes() == 0:
                raise
            time.sleep(RETRY_WAIT_S * (fruitless + 1))


def _request(url: str, part: _Part, description: str, session: requests.Session) -> None:
    # Compressed transfer would make byte positions mean something else than bytes of the file.
    headers = {"Accept-Encoding": "identity"}
    start, validator = part.n_bytes(), part.validator()
    if start:
        headers["Range"] = f"bytes={start}-"
    if start and validator:
        headers["If-Range"] = validator
    timeout_s = (CONNECT_TIMEOUT_S, READ_TIMEOUT_S)
    with session.get(url, headers=headers, stream=True, timeout=timeout_s) as response:
        if response.status_code == requests.codes.requested_range_not_satisfiable:
            part.remove()
            raise requests.exceptions.ChunkedEncodingError("the server no longer has that range")
        response.raise_for_status()
        start = _resume_position(response, start)
        _remember_validator(part, response)
        total = _total_bytes(response, start)
        _require_room(part.path, total - start if total is not None else 0)
        with (
            progress_bar(description, total, unit="B") as progress,
            part.path.open("ab" if start else "wb") as out,
        ):
            progress.advance(start)
            _copy(response.iter_content(CHUNK_BYTES), out, progress)
    if total is not None and part.n_bytes() != total:
        raise requests.exceptions.ChunkedEncodingError(f"{part.n_bytes()} of {total} bytes came")


def _resume_position(response: requests.Response, asked_start: int) -> int:
    """Where the body begins: the server may ignore the range (200) or serve it (206)."""
    if response.status_code != requests.codes.partial_content:
        return 0
    if not response.headers.get("Content-Range", "").startswith(f"bytes {asked_start}-"):
        raise requests.exceptions.InvalidHeader("the server sent another range than asked for")
    return asked_start


def _remember_validator(part: _Part, response: requests.Response) -> None:
    etag = response.headers.get("ETag", "")
    # A weak ETag promises the same meaning, not the same bytes: no ground to resume on.
    strong = "" if etag.startswith("W/") else etag
    validator = strong or response.headers.get("Last-Modified", "")
    if validator:
        part.validator_path.write_text(validator, "ascii", "replace")
    else:
        part.validator_path.unlink(missing_ok=True)


def _total_bytes(response: requests.Response, start: int) -> int | None:
    length = response.headers.get("Content-Length", "")
    return start + int(length) if length.isdigit() else None


def _require_room(path: Path, n_bytes: int) -> None:
    if n_bytes > shutil.disk_usage(path.parent).free:
        raise OSError(errno.ENOSPC, "no space left on device")


def _copy(chunks: Iterator[bytes], out: BinaryIO, progress: Progress) -> None:
    for chunk in chunks:
        out.write(chunk)
        progress.advance(len(chunk))


def _explain(url: str, error: requests.RequestException, n_bytes: int) -> str:
    host = urlsplit(url).hostname or url
    if isinstance(error, requests.HTTPError) and error.response is not None:
        return f"{url}: the server answered {error.response.status_code} {error.response.reason}"
    if isinstance(error, requests.exceptions.SSLError):
        return f"{host}: its certificate was not accepted; set the CA bundle your network needs"
    kept = f" ({n_bytes} bytes are kept and will be resumed)" if n_bytes else ""
    return f"{host}: cannot be reached or broke off{kept}; check the connection and run this again"


def _file_error(path: Path, part: _Part, error: OSError) -> UserError:
    if error.errno in DISK_FULL:
        part.remove()
        return UserError(
            f"{path}: the disk is full; nothing was kept. Free some space and try again"
        )
    return UserError(f"{error.filename or path}: {error.strerror or error}")
