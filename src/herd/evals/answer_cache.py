"""Answers a model has given, kept so that they are not asked for again: after an interruption, or by
another run that asks the same.

One file for each model and task version, a JSON line an answer, appended as they come.
In: what is asked, as ids and settings. Out: the answer given before, if any. Never: an answer of another
model; a line cut short by a kill, which is dropped.
"""

from __future__ import annotations

import hashlib
import json
import os
from array import array
from pathlib import Path
from types import TracebackType
from typing import Any

from herd.evals.evaluated_model import ToContinue, ToScore
from herd.foundation import explain_write_errors

FLUSH_EVERY = 64


class AnswerCache:
    """A context manager over one file; `path` None keeps nothing beyond this run."""

    def __init__(self, path: Path | None) -> None:
        self._path = path
        self._answers: dict[str, Any] = {}
        self._unwritten: list[str] = []
        self._file: Any = None

    def __enter__(self) -> AnswerCache:
        """Read what is there and open the file for more."""
        if self._path is not None:
            with explain_write_errors(self._path):
                self._path.parent.mkdir(parents=True, exist_ok=True)
                self._read(self._path)
                self._file = open(self._path, "ab")
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        """Write the rest, whatever happened."""
        try:
            self._flush()
        finally:
            if self._file is not None:
                self._file.close()

    def __len__(self) -> int:
        """Return how many answers are known."""
        return len(self._answers)

    def get(self, key: str) -> Any:
        """Return the answer to what has this key, or None."""
        return self._answers.get(key)

    def put(self, key: str, answer: Any) -> None:
        """Keep an answer. Raises UserError when the disk refuses."""
        self._answers[key] = answer
        if self._file is not None:
            self._unwritten.append(json.dumps([key, answer], ensure_ascii=True))
            if len(self._unwritten) >= FLUSH_EVERY:
                self._flush()

    def _read(self, path: Path) -> None:
        if not path.exists():
            return
        n_whole = 0
        with open(path, "rb") as file:
            for line in file:
                pair = _pair(line)
                if pair is None:
                    break
                n_whole += len(line)
                self._answers[pair[0]] = pair[1]
        if n_whole < path.stat().st_size:  # cut short by a kill: the rest is asked again
            os.truncate(path, n_whole)

    def _flush(self) -> None:
        if self._file is None or not self._unwritten:
            return
        assert self._path is not None
        with explain_write_errors(self._path):
            self._file.write("".join(f"{line}\n" for line in self._unwritten).encode())
            self._file.flush()
        self._unwritten.clear()


def score_key(asked: ToScore) -> str:
    """Return what tells one question of likelihood from all others."""
    ids = array("q", [len(asked.prompt), *asked.prompt, *asked.continuation])
    return hashlib.sha256(b"score" + ids.tobytes()).hexdigest()[:32]


def continuation_key(asked: ToContinue) -> str:
    """Return what tells one prompt with its settings from all others."""
    settings = (
        asked.max_new_tokens,
        asked.stop,
        asked.temperature,
        asked.top_p,
        asked.seed if asked.temperature > 0 else 0,
        asked.n_samples,
        asked.is_chat,
    )
    ids = array("q", asked.prompt)
    digest = hashlib.sha256(b"continue" + repr(settings).encode() + ids.tobytes())
    return digest.hexdigest()[:32]


def _pair(line: bytes) -> tuple[str, Any] | None:
    try:
        key, answer = json.loads(line)
    except (ValueError, TypeError):
        return None
    return (key, answer) if isinstance(key, str) and line.endswith(b"\n") else None
