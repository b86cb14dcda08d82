"""Duels, files of them, and a server that judges as it is told."""

import contextlib
import json
import threading
from collections.abc import Callable, Iterator, Sequence
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any

import pytest

from herd.evals.arena import Duel

Write = Callable[..., Path]


@pytest.fixture
def duels() -> list[Duel]:
    """Twelve, of two categories; whose answer stands left changes."""
    return [
        Duel(
            f"q{i}",
            ({"role": "user", "content": f"question {i}"},),
            (f"first says {i}", f"second says {i}"),
            ("writing", "maths")[i % 2],
            int(i % 3 == 0),
        )
        for i in range(12)
    ]


@pytest.fixture
def write(tmp_path: Path) -> Write:
    """Write rows (or raw lines) as JSONL."""

    def write(name: str, rows: Sequence[Any]) -> Path:
        path = tmp_path / name
        lines = (one if isinstance(one, str) else json.dumps(one) for one in rows)
        path.write_text("".join(f"{line}\n" for line in lines))
        return path

    return write


@pytest.fixture
def two_files(write: Write) -> tuple[Path, Path]:
    """Answers of `good` and `bad` to five prompts."""
    good = [
        {"id": f"q{i}", "prompt": f"question {i}", "answer": f"good {i}", "category": "c"}
        for i in range(5)
    ]
    bad = [{"id": f"q{i}", "answer": f"bad {i}"} for i in range(5)]
    return write("good.jsonl", good), write("bad.jsonl", bad)


class JudgeServerStub:
    """`answer(body, number)` gives (status, body or text, headers); a float waits first."""

    def __init__(self) -> None:
        self.answer: Callable[[dict[str, Any], int], tuple[int, Any, dict[str, str]]]
        self.asked: list[dict[str, Any]] = []
        self.headers: list[dict[str, str]] = []
        self.released = threading.Event()
        stub = self

        class Handler(BaseHTTPRequestHandler):
            def do_POST(self) -> None:
                body = json.loads(self.rfile.read(int(self.headers["Content-Length"])))
                stub.asked.append({"path": self.path, **body})
                stub.headers.append(dict(self.headers))
                status, said, headers = stub.answer(body, len(stub.asked))
                content = said if isinstance(said, bytes) else json.dumps(said).encode()
                if headers.pop("trickle", ""):
                    with contextlib.suppress(OSError):  # nobody listens any more
                        self.wfile.write(b"HTTP/1.0 200 OK\r\nX-Slow: ")
                        while not stub.released.wait(0.05):
                            self.wfile.write(b"x")
                    return
                self.send_response(status)
                for name, value in headers.items():
                    self.send_header(name, value)
                self.send_header("Content-Length", str(len(content)))
                self.end_headers()
                self.wfile.write(content)

            def log_message(self, format: str, *args: Any) -> None:
                pass

        self.server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        self.server.daemon_threads = True
        self.server.handle_error = lambda *_: None  # type: ignore[method-assign]
        self.url = f"http://127.0.0.1:{self.server.server_address[1]}"

    def says(self, text: Callable[[str], str]) -> None:
        """Answer with what `text` makes of the question."""

        def answer(body: dict[str, Any], number: int) -> tuple[int, Any, dict[str, str]]:
            return 200, completion(text(body["messages"][-1]["content"])), {}

        self.answer = answer


def completion(text: str | None) -> dict[str, Any]:
    return {"choices": [{"message": {"role": "assistant", "content": text}}]}


@pytest.fixture
def server() -> Iterator[JudgeServerStub]:
    stub = JudgeServerStub()
    thread = threading.Thread(target=lambda: stub.server.serve_forever(poll_interval=0.01))
    thread.start()
    yield stub
    stub.released.set()
    stub.server.shutdown()
    stub.server.server_close()
    thread.join()
