"""The parent's end of the worker: started when first needed, killed when late, started again.

In: a vocabulary, limits, grammars. Out: what the worker says of each. Never: waiting longer than the
time limit, or a process left behind once its owner is gone.
"""

from __future__ import annotations

import json
import subprocess
import sys
import threading
import weakref
from collections.abc import Callable
from typing import IO

from herd.foundation import format_bytes, format_seconds
from herd.inference.constraints import worker
from herd.inference.constraints.limits import ConstraintLimits
from herd.inference.constraints.vocabulary import ConstraintVocabulary

START_TIME_S = 60.0  # to start Python and build the tokens' trie, on however busy a machine


class WorkerStopped(Exception):  # noqa: N818 - an outcome
    """The worker gave no answer; the message says why, to follow the constraint's name."""


class ConstraintProcess:
    """One child process at a time, which tries grammars on one vocabulary."""

    def __init__(self, vocabulary: ConstraintVocabulary, limits: ConstraintLimits) -> None:
        self._vocabulary = vocabulary
        self._limits = limits
        self._lock = threading.Lock()
        self._child: subprocess.Popen[str] | None = None
        self._stop: Callable[[], object] | None = None

    def verdict(self, grammar: str) -> str:
        """Return "" if the grammar compiles and its first masks come in time, else llguidance's
        error. Raises WorkerStopped if it takes too long, too much memory, or breaks the worker.
        """
        with self._lock:
            if self._child is None or self._child.poll() is not None:
                self._start()
            return self._ask(json.dumps(grammar), self._limits.time_s)

    def close(self) -> None:
        """End the child, if there is one; the next question starts another."""
        if self._stop is not None:
            self._stop()
        self._child = self._stop = None

    def _start(self) -> None:
        self.close()
        # By path, not as a module: the package would import torch. -P: nothing beside the file.
        command = [sys.executable, "-P", worker.__file__]
        self._child = subprocess.Popen(
            command,
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=subprocess.DEVNULL,
            text=True,
            encoding="utf-8",
            start_new_session=True,  # Ctrl-C at the terminal is for the parent
        )
        self._stop = weakref.finalize(self, _end, self._child)
        limits = self._limits
        setup = {
            **self._vocabulary.message(),
            "memory_bytes": limits.memory_bytes,
            "time_s": limits.time_s,
            "limits": limits.engine_limits(),
        }
        self._ask(json.dumps(setup), START_TIME_S)

    def _ask(self, line: str, time_s: float) -> str:
        child = self._child
        assert child is not None
        is_late = threading.Event()

        def kill() -> None:
            is_late.set()
            child.kill()

        timer = threading.Timer(time_s, kill)
        timer.start()
        try:
            answer = _exchange(child, line)
        finally:
            timer.cancel()
        if answer:
            error: str = json.loads(answer)["error"]
            return error
        self.close()
        raise WorkerStopped(self._why(is_late.is_set(), time_s))

    def _why(self, is_late: bool, time_s: float) -> str:
        if is_late:
            return f"takes longer than {format_seconds(time_s)} to compile"
        memory = format_bytes(self._limits.memory_bytes)
        return f"breaks its compiler (allowed are {memory} of memory)"


def _exchange(child: subprocess.Popen[str], line: str) -> str:
    """Send a line, return the answer's; "" from a child that has died."""
    assert child.stdin is not None and child.stdout is not None
    try:
        child.stdin.write(line + "\n")
        child.stdin.flush()
        return child.stdout.readline()
    except (BrokenPipeError, ValueError):
        return ""


def _end(child: subprocess.Popen[str]) -> None:
    child.kill()
    child.wait()
    pipes: tuple[IO[str] | None, ...] = (child.stdin, child.stdout)
    for pipe in pipes:
        _close(pipe)


def _close(pipe: IO[str] | None) -> None:
    try:
        if pipe is not None:
            pipe.close()
    except OSError:  # a line that the dead child never read
        pass
