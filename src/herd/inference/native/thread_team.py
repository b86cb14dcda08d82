"""The team of threads that runs native steps: opened once, one step at a time, closed in time.

In: structs of a step. Out: nothing; C writes where the structs point.
Never: a close under a running step, or in another process than the one that opened it.
"""

from __future__ import annotations

import ctypes
import os
import threading
import weakref

from herd.inference.native.structures import ModelStruct, StepStruct


class ThreadTeam:
    """Safe to call from several threads. After a fork the child opens a team of its own."""

    def __init__(self, library: ctypes.CDLL, n_threads: int) -> None:
        """Start the threads. Raises MemoryError, and ValueError for fewer than one."""
        if n_threads < 1:
            raise ValueError(f"a team of {n_threads} threads: give 1 or more")
        self._library = library
        self._n_threads = n_threads
        self._lock = threading.Lock()
        self._handle: int | None = None
        self._open()

    def run(self, model: ModelStruct, step: StepStruct) -> None:
        """Run one step. Raises MemoryError, and RuntimeError after `close`."""
        with self._lock:
            if self._handle is None:
                raise RuntimeError("this runner is closed")
            if os.getpid() != self._process_id:
                self._finalizer.detach()  # the parent's threads are not here, nor to be waited for
                self._open()
            failed = self._library.herd_step(self._handle, model, step)
        if failed:
            raise MemoryError("no memory for the activations of a step")

    def close(self) -> None:
        """End the threads, after the step that runs; again does nothing."""
        with self._lock:
            self._finalizer()
            self._handle = None

    def _open(self) -> None:
        handle = self._library.herd_open(self._n_threads)
        if not handle:
            raise MemoryError("no memory for a team of threads")
        self._handle, self._process_id = handle, os.getpid()
        self._finalizer = weakref.finalize(self, _close, self._library, handle, os.getpid())
        # At exit a daemon thread may be inside a step; the system frees everything anyway.
        self._finalizer.atexit = False


def _close(library: ctypes.CDLL, handle: int, process_id: int) -> None:
    if os.getpid() == process_id:
        library.herd_close(handle)
