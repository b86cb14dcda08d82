"""An engine on a thread of its own, for callers on any thread.

In: an engine, requests from anywhere. Out: for each an iterator of its outputs.
Never: a request left waiting for a loop that has died: whoever waits is told, and so is whoever
comes later.
"""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterator, Sequence
from queue import SimpleQueue

from herd.inference.engine import Engine, QueueFullError
from herd.inference.request import Output, Request, ScoreRequest


class EngineStoppedError(RuntimeError):
    """The engine's loop is over. If it died, what killed it is this error's cause."""


class OutputStream(Iterator[Output]):
    """The outputs of one request as they come; ends after the last of its samples.

    Raises what `Engine.submit` raises, and EngineStoppedError when the loop ends first. For one
    listener. `close`, from any thread, or leaving its `with` cancels.
    """

    def __init__(self, request: Request | ScoreRequest, cancel: Callable[[OutputStream], None]):
        self.request = request
        self.ticket: int | None = None  # the loop's
        self._cancel = cancel
        self._n_left = request.n_samples if isinstance(request, Request) else 1
        self._arrived: SimpleQueue[Output | Exception] = SimpleQueue()

    def __enter__(self) -> OutputStream:
        """Return itself."""
        return self

    def __exit__(self, *error: object) -> None:
        """Close."""
        self.close()

    def __next__(self) -> Output:
        """Wait for the next output and return it."""
        if self._n_left == 0:
            raise StopIteration
        arrived = self._arrived.get()
        if isinstance(arrived, Exception):
            self._n_left = 0
            raise arrived
        if arrived.finish_reason:
            self._n_left -= 1
        return arrived

    def close(self) -> None:
        """Cancel what is left. Its blocks are free once the step under way is over."""
        if self._n_left:
            self._cancel(self)

    def give(self, arrived: Output | Exception) -> None:
        """Let the listener have this next."""
        self._arrived.put(arrived)


class EngineThread:
    """Owns the engine: nobody else may call it from now on. Close it, or use it in a `with`."""

    def __init__(self, engine: Engine) -> None:
        self._engine = engine
        self._stream_of: dict[int, OutputStream] = {}  # by ticket; the loop's
        self._changed = threading.Condition()  # guards the four below
        self._submitted: list[OutputStream] = []
        self._cancelled: list[OutputStream] = []
        self._is_closing = False
        self._end: EngineStoppedError | None = None
        self._thread = threading.Thread(target=self._run, name="herd-engine", daemon=True)
        self._thread.start()

    def __enter__(self) -> EngineThread:
        """Return itself."""
        return self

    def __exit__(self, *error: object) -> None:
        """Close."""
        self.close()

    def submit(self, request: Request | ScoreRequest) -> OutputStream:
        """Take a request in; return its outputs to come.

        Raises UserError for one that can never be served, QueueFullError when too many wait,
        EngineStoppedError when the loop has ended.
        """
        self._engine.check(request)
        stream = OutputStream(request, self._cancel)
        with self._changed:
            if self._end is not None:
                raise _copy(self._end)
            n_waiting = self._engine.n_waiting + len(self._submitted)
            if n_waiting >= self._engine.config.max_waiting:
                raise QueueFullError(n_waiting, self._engine.config.max_waiting)
            self._submitted.append(stream)
            self._changed.notify()
        return stream

    def close(self) -> None:
        """End the loop after the step under way. Whoever still waits gets EngineStoppedError."""
        with self._changed:
            self._is_closing = True
            self._changed.notify()
        self._thread.join()

    def _cancel(self, stream: OutputStream) -> None:
        with self._changed:
            self._cancelled.append(stream)
            self._changed.notify()

    def _run(self) -> None:
        end = EngineStoppedError("the engine was closed")
        try:
            while self._take_orders():
                self._deliver(self._engine.step())
            for ticket in self._stream_of:
                self._engine.cancel(ticket)
        except BaseException as cause:  # whatever it is: nobody may wait for ever
            end = EngineStoppedError(f"the engine has died: {type(cause).__name__}: {cause}")
            end.__cause__ = cause
        with self._changed:
            self._end = end
            waiting = [*self._stream_of.values(), *self._submitted]
        for stream in waiting:
            stream.give(_copy(end))

    def _take_orders(self) -> bool:
        """Wait until there is something to do and take it in; return False when it is to end."""
        with self._changed:
            while not (self._engine.has_work or self._submitted or self._cancelled):
                if self._is_closing:
                    return False
                self._changed.wait()
            if self._is_closing:
                return False
            submitted, self._submitted = self._submitted, []
            cancelled, self._cancelled = self._cancelled, []
        for stream in submitted:
            self._admit(stream)
        for stream in cancelled:
            if stream.ticket is not None:
                self._engine.cancel(stream.ticket)
        return True

    def _admit(self, stream: OutputStream) -> None:
        try:
            stream.ticket = self._engine.submit(stream.request)
        except Exception as error:  # this request's own: a constraint's, say
            stream.give(error)
        else:
            self._stream_of[stream.ticket] = stream

    def _deliver(self, outputs: Sequence[Output]) -> None:
        for output in outputs:
            if output.ticket in self._stream_of:
                self._stream_of[output.ticket].give(output)
        for output in outputs:
            if output.finish_reason and not self._engine.is_live(output.ticket):
                self._stream_of.pop(output.ticket, None)


def _copy(end: EngineStoppedError) -> EngineStoppedError:
    """Each thread raises its own: a raised error gathers the trace of whoever raised it."""
    error = EngineStoppedError(str(end))
    error.__cause__ = end.__cause__
    return error
