"""Several questions to a judge at a time, their answers as they come.

In: tasks and what does one. Out: pairs of task and answer, or the exception instead of it. Never: a wait
for questions under way once the caller leaves: their threads die with the process.
"""

import queue
import threading
from collections.abc import Callable, Iterator, Sequence
from typing import TypeVar

Task = TypeVar("Task")
Value = TypeVar("Value")


def answers_as_they_come(
    tasks: Sequence[Task], work: Callable[[Task], Value], n_parallel: int
) -> Iterator[tuple[Task, Value | Exception]]:
    """Yield each task with its answer; `n_parallel` 1 asks here, in order."""
    if n_parallel <= 1:
        for task in tasks:
            yield task, _attempt(work, task)
        return
    todo: queue.SimpleQueue[Task] = queue.SimpleQueue()
    done: queue.SimpleQueue[tuple[Task, Value | Exception]] = queue.SimpleQueue()
    for task in tasks:
        todo.put(task)
    is_over = threading.Event()

    def work_on() -> None:
        while not is_over.is_set():
            try:
                task = todo.get_nowait()
            except queue.Empty:
                return
            done.put((task, _attempt(work, task)))

    for _ in range(min(n_parallel, len(tasks))):
        threading.Thread(target=work_on, daemon=True).start()
    try:
        for _ in tasks:
            yield done.get()
    finally:
        is_over.set()


def _attempt(work: Callable[[Task], Value], task: Task) -> Value | Exception:
    try:
        return work(task)
    except Exception as error:  # the caller decides what it means
        return error
