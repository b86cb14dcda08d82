"""Processes that do tasks, and die."""

import os
import signal
from pathlib import Path

import pytest

from herd.data.curation.workers import OneProcess, ProcessWorkers
from herd.foundation import UserError

# Functions of the standard library, which a fresh process can find; tests it cannot import.
TASKS = [Path(f"/a/{number}") for number in range(20)]


@pytest.mark.parametrize("workers", [OneProcess(), ProcessWorkers(1), ProcessWorkers(3)])
def test_every_task_is_done_once(workers):
    results = list(workers.run(os.fspath, TASKS))
    assert sorted(results) == sorted((task, str(task)) for task in TASKS)


def test_no_task_needs_no_worker():
    assert list(ProcessWorkers(2).run(os.fspath, [])) == []


def test_an_exception_of_a_worker_is_raised_here():
    with pytest.raises(NotADirectoryError):
        list(ProcessWorkers(2).run(os.listdir, [Path(__file__)]))


KILLS_ONCE = """
import os, signal
def work(task):
    marker = task + ".tried"
    if "bad" in task and not os.path.exists(marker):
        open(marker, "w").close()
        os.kill(os.getpid(), signal.SIGKILL)
    if "worse" in task:
        os.kill(os.getpid(), signal.SIGKILL)
    return len(task)
"""


@pytest.fixture
def deadly(tmp_path):
    from herd.foundation import load_python_file

    file = tmp_path / "deadly.py"
    file.write_text(KILLS_ONCE)
    return file, load_python_file(file).work


def test_a_killed_worker_is_replaced_and_its_task_done_again(tmp_path, deadly):
    file, work = deadly
    tasks = [str(tmp_path / name) for name in ("a", "bad", "c", "d")]
    results = dict(ProcessWorkers(2, str(file)).run(work, tasks))
    assert results == {task: len(task) for task in tasks}


def test_a_task_that_kills_every_worker_is_named(tmp_path, deadly):
    file, work = deadly
    with pytest.raises(UserError, match=r"worse: its worker died 3 times"):
        list(ProcessWorkers(1, str(file)).run(work, [str(tmp_path / "worse")]))


def test_an_interrupt_leaves_no_process_behind(tmp_path, deadly):
    import multiprocessing

    file, work = deadly
    before = set(multiprocessing.active_children())
    running = ProcessWorkers(2, str(file)).run(work, [str(tmp_path / name) for name in "abcdef"])
    next(running)
    with pytest.raises(KeyboardInterrupt):
        running.throw(KeyboardInterrupt)
    for child in set(multiprocessing.active_children()) - before:
        child.join(10)
    assert set(multiprocessing.active_children()) <= before


@pytest.mark.parametrize("n_workers", [0, -1])
def test_no_workers_are_refused(n_workers):
    with pytest.raises(UserError, match="at least 1"):
        ProcessWorkers(n_workers)


def test_workers_are_deaf_to_ctrl_c(tmp_path, deadly):
    file = tmp_path / "deaf.py"
    file.write_text("import signal\ndef work(task):\n    return signal.getsignal(signal.SIGINT)\n")
    from herd.foundation import load_python_file

    ((_, handler),) = ProcessWorkers(1, str(file)).run(load_python_file(file).work, ["t"])
    assert handler == signal.SIG_IGN
