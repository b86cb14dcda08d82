"""Who does the work: this process, several on this machine, or a Ray cluster.

In: a function and tasks, both picklable. Out: results in the order in which they come. A worker that
dies is replaced and its tasks are done again, a few times.
Never: a result that depends on who computed it; a task lost.
"""

import contextlib
import multiprocessing
import multiprocessing.connection
import os
import pickle
import signal
import socket
import threading
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import FIRST_COMPLETED, Future, ProcessPoolExecutor, wait
from concurrent.futures.process import BrokenProcessPool
from contextlib import AbstractContextManager
from dataclasses import dataclass
from typing import Any, Protocol, TypeVar

from herd.foundation import UserError, load_python_file, missing_library

Task = TypeVar("Task")
MAX_ATTEMPTS = 3
CONNECT_TIMEOUT_S = 10.0


class Workers(Protocol):
    """Runs a function over tasks."""

    def run(
        self, function: Callable[[Task], Any], tasks: Sequence[Task]
    ) -> Iterator[tuple[Task, Any]]:
        """Yield each task with its result, in any order."""

    def kept(self) -> AbstractContextManager["Workers"]:
        """Return the same workers, which stay between one run and the next until the end."""


@dataclass(frozen=True, slots=True)
class OneProcess:
    """Does everything here, one task after the other."""

    def run(
        self, function: Callable[[Task], Any], tasks: Sequence[Task]
    ) -> Iterator[tuple[Task, Any]]:
        """Yield each task with its result, in their order."""
        for task in tasks:
            yield task, function(task)

    def kept(self) -> AbstractContextManager[Workers]:
        """Return this process, which needs no starting."""
        return contextlib.nullcontext(self)


@dataclass(frozen=True, slots=True)
class ProcessWorkers:
    """Several processes on this machine.

    `recipe_file` is the user's Python file whose stages the tasks hold, if they hold such.
    """

    n_workers: int
    recipe_file: str = ""

    def __post_init__(self) -> None:
        """Refuse none."""
        if self.n_workers < 1:
            raise UserError(f"workers is {self.n_workers}; it must be at least 1")

    def run(
        self, function: Callable[[Task], Any], tasks: Sequence[Task]
    ) -> Iterator[tuple[Task, Any]]:
        """Yield each task with its result as it comes.

        Raises UserError when a task's worker died three times: it was killed, or ran out of memory.
        """
        with self.kept() as workers:
            yield from workers.run(function, tasks)

    @contextlib.contextmanager
    def kept(self) -> Iterator[Workers]:
        """Start the processes; stop them at the end, or kill them when something went wrong."""
        before = set(multiprocessing.active_children())
        processes = _Processes(self.n_workers, self.recipe_file)
        try:
            yield processes
        except BaseException:
            processes.pool.shutdown(wait=False, cancel_futures=True)
            for child in set(multiprocessing.active_children()) - before:
                child.kill()
            raise
        processes.pool.shutdown()


class _Processes:
    """Processes that wait for tasks; a pool of which one dies gives way to a new one."""

    def __init__(self, n_workers: int, recipe_file: str) -> None:
        self._n_workers, self._recipe_file = n_workers, recipe_file
        self.pool = self._new_pool()

    def kept(self) -> AbstractContextManager[Workers]:
        return contextlib.nullcontext(self)

    def run(
        self, function: Callable[[Task], Any], tasks: Sequence[Task]
    ) -> Iterator[tuple[Task, Any]]:
        waiting = [(task, 1) for task in reversed(tasks)]
        while waiting:
            yield from self._run_until_broken(function, waiting)

    def _run_until_broken(
        self, function: Callable[[Task], Any], waiting: list[tuple[Task, int]]
    ) -> Iterator[tuple[Task, Any]]:
        running: dict[Future[Any], tuple[Task, int]] = {}
        while waiting or running:
            try:
                # No more than can run: when a worker dies, these few are the suspects.
                while waiting and len(running) < self._n_workers:
                    future = self.pool.submit(function, waiting[-1][0])
                    running[future] = waiting.pop()
                done, _ = wait(running, return_when=FIRST_COMPLETED)
                for future in done:
                    result = future.result()
                    yield running.pop(future)[0], result
            except BrokenProcessPool:
                waiting += [_again(task, attempt) for task, attempt in running.values()]
                self.pool = self._new_pool()
                return

    def _new_pool(self) -> ProcessPoolExecutor:
        # Not forked from a process with threads, which could leave a lock held for ever.
        context = multiprocessing.get_context("forkserver")
        return ProcessPoolExecutor(
            self._n_workers, context, initializer=_begin_worker, initargs=(self._recipe_file,)
        )


@dataclass(frozen=True, slots=True)
class RayWorkers:
    """A Ray cluster, whose machines see the same files under the same names.

    `address` is what `ray start` printed, or `local` for a cluster on this machine only.
    """

    address: str
    recipe_file: str = ""

    def run(
        self, function: Callable[[Task], Any], tasks: Sequence[Task]
    ) -> Iterator[tuple[Task, Any]]:
        """Yield each task with its result as it comes, through Ray Data, which does lost ones again.

        Raises UserError when Ray is missing or no cluster answers.
        """
        if not tasks:
            return
        ray = self._connected()

        packed = [pickle.dumps(task) for task in tasks]
        recipe_file = self.recipe_file

        def work(row: dict[str, Any]) -> dict[str, Any]:
            if recipe_file:
                load_python_file(recipe_file)
            result = _guarded(function, pickle.loads(row["task"]))
            return {"number": row["number"], "result": pickle.dumps(result)}

        rows = [{"number": number, "task": task} for number, task in enumerate(packed)]
        dataset = ray.data.from_items(rows, override_num_blocks=len(rows)).map(work, num_cpus=1)
        for row in dataset.iter_rows():
            mistake, value = pickle.loads(row["result"])
            if mistake:
                raise UserError(mistake)
            yield tasks[row["number"]], value

    def kept(self) -> AbstractContextManager[Workers]:
        """Return the cluster, which stays by itself."""
        return contextlib.nullcontext(self)

    def _connected(self) -> Any:
        try:
            import ray
            import ray.data
        except ImportError:
            raise missing_library("working on a cluster", "Ray", "cluster") from None
        if not ray.is_initialized():
            _require_answer(self.address)
            try:
                ray.init(address=self.address, log_to_driver=False, configure_logging=False)
            except (ConnectionError, ValueError, RuntimeError) as error:
                raise UserError(f"no Ray cluster at {self.address!r}: {error}") from error
        ray.data.DataContext.get_current().enable_progress_bars = False
        return ray


def _require_answer(address: str) -> None:
    """Raise UserError when nobody listens at `host:port`: Ray itself would try for minutes."""
    host, _, port = address.rpartition("/")[2].rpartition(":")
    if not host or not port.isdecimal():
        return  # `auto`, `local`
    try:
        socket.create_connection((host, int(port)), CONNECT_TIMEOUT_S).close()
    except (OSError, OverflowError) as error:
        raise UserError(f"no Ray cluster at {address!r}: {error}") from error


def _guarded(function: Callable[[Task], Any], task: Task) -> tuple[str, Any]:
    """The result, or a user's mistake as text: Ray would wrap the exception, with a trace."""
    try:
        return "", function(task)
    except UserError as error:
        return str(error), None


def _begin_worker(recipe_file: str) -> None:
    # Ctrl-C reaches every process of a terminal; the first one stops the others.
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    threading.Thread(target=_end_with_parent, daemon=True).start()
    if recipe_file:
        load_python_file(recipe_file)


def _end_with_parent() -> None:
    """End this process when the one that began it is gone, however it went."""
    parent = multiprocessing.parent_process()
    if parent is not None:
        multiprocessing.connection.wait([parent.sentinel])
        os._exit(1)


def _again(task: Task, attempt: int) -> tuple[Task, int]:
    if attempt >= MAX_ATTEMPTS:
        raise UserError(
            f"{task}: its worker died {attempt} times: killed, or out of memory. What is done stays; "
            "try again with fewer workers or a smaller limits.part_bytes"
        )
    return task, attempt + 1
