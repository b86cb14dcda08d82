"""Fill an unfinished file from an HTTP server, going on where it stopped.

Apart from `download` so that the requests library is imported only when something is fetched.
In: a URL and the part to fill. Out: the part, as long as the server says the file is.
Never: splicing two versions of a file: a range is asked for under the part's validator.
"""

import errno
import shutil
import time
from collections.abc import Iterator
from pathlib import Path
from typing import BinaryIO
from urllib.parse import urlsplit

import requests

from herd.foundation.download_part import DownloadPart
from herd.foundation.errors import UserError
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


def fetch(
    url: str,
    part: DownloadPart,
    *,
    digest_known: bool,
    description: str,
    session: requests.Session | None = None,
) -> bool:
    """Request until `part` is whole; True if it began with bytes of an earlier call.

    A part without a validator is resumed only where a digest will tell whether it fits.

    Raises UserError when the server refuses, cannot be reached, or keeps breaking off.
    """
    if not (digest_known or part.validator()):
        part.remove()
    began_with = part.n_bytes()
    try:
        if session is not None:
            _persist(url, part, description, session)
        else:
            with requests.Session() as own_session:
                _persist(url, part, description, own_session)
    except requests.RequestException as error:
        raise UserError(_explain(url, error, part.n_bytes())) from error
    return began_with > 0


def _persist(url: str, part: DownloadPart, description: str, session: requests.Session) -> None:
    fruitless = 0
    while True:
        n_before = part.n_bytes()
        try:
            return _request(url, part, description, session)
        except BROKEN_OFF:
            fruitless = 0 if part.n_bytes() > n_before else fruitless + 1
            if fruitless >= MAX_FRUITLESS_ATTEMPTS or part.n_bytes() == 0 or not part.validator():
                raise
            time.sleep(RETRY_WAIT_S * (fruitless + 1))


def _request(url: str, part: DownloadPart, description: str, session: requests.Session) -> None:
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
        require_room(part.path, total - start if total is not None else 0)
        with (
            progress_bar(description, total, unit="B", done=start) as progress,
            part.path.open("ab" if start else "wb") as out,
        ):
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


def _remember_validator(part: DownloadPart, response: requests.Response) -> None:
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


def require_room(path: Path, n_bytes: int) -> None:
    """Raise the disk-full OSError now if `n_bytes` more cannot fit beside `path`."""
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
