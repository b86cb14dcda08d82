"""A judge behind any OpenAI-compatible `/v1/chat/completions`.

In: a URL, a model's name, perhaps a key. Out: what the model writes. Never: the key in a message, a log or
a header to another host; more than so many attempts, bytes or seconds.
"""

import json
import time
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from queue import Empty, Queue
from threading import Thread
from typing import Any
from urllib.parse import urlsplit

import requests
from requests.auth import AuthBase
from urllib3.exceptions import LocationParseError

from herd.evals.arena.judge import JudgeRefusalError
from herd.evals.arena.text import harmless
from herd.foundation import UserError

COMPLETIONS = "/chat/completions"
MAX_ATTEMPTS = 6
GRACE = 1.5  # connecting, headers and content have the timeout each; all of it, this much
FIRST_WAIT_S, LONGEST_WAIT_S = 1.0, 60.0
MAX_ANSWER_BYTES = 16 << 20
CHUNK_BYTES = 1 << 16
BUSY = {408, 409, 425, 429, 500, 502, 503, 504, 529}
ABOUT_THIS_DUEL = {400, 413, 422}
BROKEN_OFF = (
    requests.ConnectionError,
    requests.Timeout,
    requests.exceptions.ChunkedEncodingError,
)


class BusyServerError(Exception):
    """An attempt that came to nothing, and how long the server asks to wait."""

    def __init__(self, what: str, wait_s: float = 0.0) -> None:
        super().__init__(what)
        self.wait_s = wait_s


class KeyOnly(AuthBase):
    """The key of the caller, or none: never one that a `.netrc` has for the host."""

    def __init__(self, key: str) -> None:
        self._key = key

    def __call__(self, request: requests.PreparedRequest) -> requests.PreparedRequest:
        """Put the key into a request."""
        if self._key:
            request.headers["Authorization"] = f"Bearer {self._key}"
        return request


class JudgeServer:
    """`Judge` over HTTP. `sleep` is what waiting between attempts is done with."""

    def __init__(
        self,
        url: str,
        model: str,
        *,
        key: str = "",
        timeout_s: float = 120.0,
        max_tokens: int = 1024,
        sleep: Callable[[float], None] = time.sleep,
    ) -> None:
        self.url = completions_url(url)
        self._host = urlsplit(self.url).netloc.rpartition("@")[2]
        self._model, self._key = model, key
        self._timeout_s, self._max_tokens, self._sleep = timeout_s, max_tokens, sleep
        self._was_reached = False

    def verdict(self, messages: Sequence[Mapping[str, str]]) -> str:
        """Return what the model writes. Raises JudgeRefusalError for this duel, else UserError."""
        body = {
            "model": self._model,
            "messages": list(messages),
            "temperature": 0,
            "max_tokens": self._max_tokens,
        }
        problem = ""
        for attempt in range(MAX_ATTEMPTS):
            try:
                return self._in_time(body)
            except BusyServerError as error:
                problem = str(error)
                wait_s = max(error.wait_s, FIRST_WAIT_S * 2**attempt)
            if attempt + 1 < MAX_ATTEMPTS:
                self._sleep(min(wait_s, LONGEST_WAIT_S))
        raise UserError(
            f"the judge at {self._host} {problem}, {MAX_ATTEMPTS} times in a row; what has come is kept: "
            "run this again to go on"
        )

    def _in_time(self, body: Mapping[str, Any]) -> str:
        """Attempt it on a thread that is left behind when the server trickles, byte by byte, without end."""
        outcome: Queue[str | Exception] = Queue()

        def attempt() -> None:
            try:
                outcome.put(self._attempt(body))
            except Exception as error:
                outcome.put(error)

        Thread(target=attempt, daemon=True).start()
        try:
            found = outcome.get(timeout=GRACE * self._timeout_s)
        except Empty:
            raise BusyServerError(f"did not finish within {self._timeout_s:g} s") from None
        if isinstance(found, Exception):
            raise found
        return found

    def _attempt(self, body: Mapping[str, Any]) -> str:
        try:
            with requests.Session() as session:
                session.auth = KeyOnly(self._key)
                with session.post(
                    self.url, json=body, timeout=self._timeout_s, stream=True, allow_redirects=False
                ) as response:
                    self._was_reached = True
                    return self._read(response)
        except BROKEN_OFF as error:
            raise self._broken_off(error) from error
        except (requests.RequestException, LocationParseError) as error:
            kind = type(error).__name__
            raise UserError(f"--judge {self._host}: the request failed ({kind})") from error

    def _broken_off(self, error: Exception) -> Exception:
        if isinstance(error, requests.exceptions.SSLError):
            return UserError(
                f"--judge {self._host}: its certificate was not accepted; set the CA bundle you need"
            )
        if isinstance(error, requests.ReadTimeout):
            return BusyServerError(f"did not answer within {self._timeout_s:g} s")
        if not self._was_reached:
            return UserError(
                f"--judge {self._host} cannot be reached; start the server or correct the URL"
            )
        return BusyServerError("broke off")

    def _read(self, response: requests.Response) -> str:
        status = response.status_code
        content = self._content(response)
        if status == requests.codes.ok:
            return self._answer(content)
        said = f"the judge at {self._host} answered {status}: {self._excerpt(content)}"
        if status in BUSY:
            raise BusyServerError(f"answered {status}", _wait_s(response))
        if status in ABOUT_THIS_DUEL:
            raise JudgeRefusalError(said)
        if status in (401, 403):
            raise UserError(f"{said}; give the right key with --judge-key-file")
        raise UserError(f"{said}; correct --judge ({COMPLETIONS} is added) or --judge-model")

    def _content(self, response: requests.Response) -> bytes:
        give_up_at = time.monotonic() + self._timeout_s
        content = b""
        for chunk in response.iter_content(CHUNK_BYTES):
            content += chunk
            if len(content) > MAX_ANSWER_BYTES:
                raise UserError(f"the judge at {self._host} sends more than any verdict is long")
            if time.monotonic() > give_up_at:
                raise BusyServerError(f"did not finish within {self._timeout_s:g} s")
        return content

    def _answer(self, content: bytes) -> str:
        try:
            text = json.loads(content)["choices"][0]["message"]["content"]
        except (ValueError, KeyError, IndexError, TypeError, RecursionError) as error:
            raise UserError(
                f"--judge {self._host} answers, but with no chat completion: {self._excerpt(content)}"
            ) from error
        return self._without_key(text) if isinstance(text, str) else ""

    def _excerpt(self, content: bytes) -> str:
        text = self._without_key(content.decode("utf-8", "replace"))
        return " ".join(harmless(text).split())[:200] or "nothing"

    def _without_key(self, text: str) -> str:
        return text.replace(self._key, "[key]") if self._key else text


def completions_url(url: str) -> str:
    """Return the address of chat completions for a server's address. Raises UserError for no URL."""
    try:
        parts = urlsplit(url)
        is_known = parts.scheme in ("http", "https") and bool(parts.hostname) and parts.port != 0
    except ValueError:
        is_known = False
    if not is_known:
        raise UserError("--judge is no URL of a server, such as http://localhost:8000/v1")
    plain = url.split("?")[0].split("#")[0].rstrip("/")
    if plain.endswith(COMPLETIONS):
        return plain
    return plain + COMPLETIONS if parts.path.strip("/") else f"{plain}/v1{COMPLETIONS}"


def read_key(path: Path) -> str:
    """Return the API key that a file holds. Raises UserError, without showing it, for one that is none."""
    try:
        key = path.read_text("utf-8").strip()
    except (OSError, UnicodeDecodeError) as error:
        raise UserError(f"--judge-key-file {path} cannot be read") from error
    if not key or not key.isascii() or not key.isprintable() or " " in key:
        raise UserError(f"--judge-key-file {path} holds no API key: one line of plain characters")
    return key


def _wait_s(response: requests.Response) -> float:
    asked = response.headers.get("Retry-After", "")
    return float(asked) if asked.isdecimal() and asked.isascii() else 0.0
