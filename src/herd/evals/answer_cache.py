"""Answers a model has given, kept so that they are not asked for again: after an interruption, or by
another run that asks the same.

One file for each model and task version, a JSON line an answer, appended as they come.
In: what is asked, as ids and settings. Out: the answer given before, if any. Never: an answer of another
model; a line cut short by a kill, which is dropped.
"""

from __future__ import annotations

import hashlib
from array import array
from pathlib import Path
from typing import Any

from herd.evals.evaluated_model import ToContinue, ToScore
from herd.foundation import MetricsLog, read_metrics


class AnswerCache:
    """A context manager over one file; `path` None keeps nothing beyond this run."""

    def __init__(self, path: Path | None) -> None:
        self._path = path
        self._answers: dict[str, Any] = {}
        self._log: MetricsLog | None = None

    def __enter__(self) -> AnswerCache:
        """Read what is there and open the file for more. Raises UserError when the disk refuses."""
        if self._path is not None:
            self._log = MetricsLog(self._path)
            for record in read_metrics(self._path):
                if isinstance(record.get("key"), str):
                    self._answers[record["key"]] = record.get("answer")
        return self

    def __exit__(self, *error: object) -> None:
        """Close the file; every answer is in it already."""
        if self._log is not None:
            self._log.close()

    def __len__(self) -> int:
        """Return how many answers are known."""
        return len(self._answers)

    def get(self, key: str) -> Any:
        """Return the answer to what has this key, or None."""
        return self._answers.get(key)

    def put(self, key: str, answer: Any) -> None:
        """Keep an answer. Raises UserError when the disk refuses."""
        self._answers[key] = answer
        if self._log is not None:
            self._log.write({"key": key, "answer": answer})


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
