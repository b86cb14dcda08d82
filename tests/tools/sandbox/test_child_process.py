"""Programs that use too much, will not end, or would outlive their parent."""

import contextlib
import os
import signal
import subprocess
import sys
import textwrap
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from herd.tools import Sandbox, SandboxLimits

MIB = 2**20
# Generous in time where another limit is meant: the machine may be busy.
TIGHT = SandboxLimits(
    timeout_s=60, cpu_s=30, memory_bytes=256 * MIB, scratch_bytes=4 * MIB, output_bytes=64 * 1024
)
BRIEF = SandboxLimits(timeout_s=0.3, cpu_s=30)


@pytest.fixture(autouse=True)
def nothing_is_left(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    """After every test, no child and no scratch directory."""
    directory = tmp_path / "temporary"
    directory.mkdir()
    monkeypatch.setattr("tempfile.tempdir", str(directory))
    yield
    assert children_of(os.getpid()) == set()
    assert list(directory.iterdir()) == []


def children_of(parent: int) -> set[int]:
    found = set()
    for path in Path("/proc").glob("[0-9]*/stat"):
        with contextlib.suppress(OSError):
            fields = path.read_text().rpartition(")")[2].split()
            if int(fields[1]) == parent and b"child.py" in (path.parent / "cmdline").read_bytes():
                found.add(int(path.parent.name))
    return found


@pytest.mark.parametrize(
    "source",
    [
        "while True: pass",
        "import time; time.sleep(1e6)",
        "import signal\nfor each in range(1, 65):\n try: signal.signal(each, signal.SIG_IGN)\n except (OSError, ValueError): pass\nwhile True: pass",
        "import os, signal; os.kill(os.getpid(), signal.SIGSTOP)",
        "import os, time; os.close(1); os.close(2); time.sleep(1e6)",
        "import os, time; os.closerange(0, 1000); time.sleep(1e6)",
        "import threading, time; threading.Thread(target=time.sleep, args=(1e6,)).start()",
        "import signal; signal.pthread_sigmask(signal.SIG_BLOCK, range(1, 65)); signal.pause()",
        "import atexit, time; atexit.register(time.sleep, 1e6)",
        "import ctypes, threading, time\nthreading.Thread(target=time.sleep, args=(1e6,)).start()\nctypes.CDLL(None).syscall(60, 0)",
        "import re; re.match(r'(a+)+$', 'a' * 40 + 'b')",
        "9 ** 9 ** 9",
        "import os; os.mkfifo('pipe'); open('pipe')",
        "import sys\nwhile True: sys.stdout.write('')",
        "class A:\n def __del__(self):\n  while True: pass\na = A()",
    ],
)
def test_a_program_that_does_not_end_is_ended(sandbox: Sandbox, source: str) -> None:
    outcome = sandbox.run(source, BRIEF)
    assert outcome.status == "timeout", outcome
    assert outcome.exit_code is None and not outcome.passed
    assert "longer than" in outcome.reason


def test_what_was_printed_before_the_end_is_kept(sandbox: Sandbox) -> None:
    outcome = sandbox.run("print('so far', flush=True)\nwhile True: pass", BRIEF)
    assert (outcome.status, outcome.stdout) == ("timeout", "so far\n")


@pytest.mark.parametrize(
    "source",
    [
        "while True: pass",
        "import signal\nsignal.signal(signal.SIGXCPU, signal.SIG_IGN)\nwhile True: pass",
    ],
)
def test_processor_time_is_limited_over_all_threads(sandbox: Sandbox, source: str) -> None:
    outcome = sandbox.run(source, SandboxLimits(timeout_s=60, cpu_s=1))
    assert outcome.status == "timeout", outcome
    assert "processor" in outcome.reason


@pytest.mark.parametrize(
    "source",
    [
        "bytes(2**30)",
        "x = [0]\nwhile True: x += x",
        "x = 'x'\nwhile True: x += x",
        "import mmap\ntry: keep = mmap.mmap(-1, 2**30)\nexcept OSError: raise MemoryError",
        "keep = []\nwhile True: keep.append(bytearray(2**20))",
    ],
)
def test_memory_is_limited(sandbox: Sandbox, source: str) -> None:
    outcome = sandbox.run(source, TIGHT)
    assert outcome.status == "memory", outcome
    assert "256 MiB" in outcome.reason


def test_a_program_that_catches_its_lack_of_memory_may_go_on(sandbox: Sandbox) -> None:
    source = "try:\n bytes(2**30)\nexcept MemoryError: print('too much')"
    assert sandbox.run(source, TIGHT).stdout == "too much\n"


HOLD = "\nimport time; time.sleep(1e6)"


@pytest.mark.parametrize(
    "source",
    [
        # One file, many files, empty files, directories, deep directories.
        "file = open('file', 'wb')\nwhile True: file.write(bytes(2**16))",
        "for n in range(1000): open(str(n), 'wb').write(bytes(2**16))" + HOLD,
        "for n in range(100_000): open(str(n), 'w').close()" + HOLD,
        "import os\nfor n in range(100_000): os.mkdir(str(n))" + HOLD,
        "import os\nfor n in range(100_000): os.symlink('x' * 4000, str(n))" + HOLD,
        "import os\nwhile True:\n os.mkdir('d')\n os.chdir('d')",
        "import os\nfor n in range(200):\n os.mkdir('d')\n os.chdir('d')" + HOLD,
        # Deleted but open: by the process, by its threads, of which the first has ended.
        "import os\nkeep = []\nfor n in range(99):\n keep.append(open('f', 'wb'))\n keep[-1].write(bytes(2**20))\n keep[-1].flush()\n os.unlink('f')"
        + HOLD,
        "import os\nkeep = []\nfor n in range(99):\n keep.append(os.open('.', os.O_TMPFILE | os.O_RDWR))\n os.write(keep[-1], bytes(2**20))"
        + HOLD,
        "import ctypes, os, threading, time\ndef fill():\n keep = []\n time.sleep(0.1)\n for n in range(99):\n  keep.append(open('f', 'wb', buffering=0))\n  keep[-1].write(bytes(2**20))\n  os.unlink('f')\n time.sleep(1e6)\nthreading.Thread(target=fill).start()\nlibc = ctypes.PyDLL(None)\nctypes.CDLL(None).syscall(60, 0)",
    ],
)
def test_the_scratch_directory_is_limited(sandbox: Sandbox, source: str) -> None:
    outcome = sandbox.run(source, TIGHT)
    assert outcome.status == "disk", outcome
    assert not outcome.passed


def test_a_deleted_file_that_is_only_mapped_is_found(sandbox: Sandbox) -> None:
    source = """
import ctypes, os, time
libc = ctypes.CDLL(None, use_errno=True)
libc.mmap.restype = ctypes.c_void_p
file = os.open("file", os.O_RDWR | os.O_CREAT)
os.write(file, bytes(2**20))
assert libc.mmap(None, ctypes.c_size_t(4096), 1, 1, file, ctypes.c_size_t(0)) > 0
os.close(file)
os.unlink("file")
time.sleep(1e6)
"""
    outcome = sandbox.run(source, TIGHT)
    assert outcome.status == "disk", outcome
    assert "mapped" in outcome.reason


def test_files_that_are_mapped_and_deleted_one_after_the_other_do_no_harm(
    sandbox: Sandbox,
) -> None:
    source = """
import mmap, tempfile
for n in range(2000):
    with tempfile.TemporaryFile() as file:
        file.write(bytes(10_000))
        file.flush()
        with mmap.mmap(file.fileno(), 0) as memory:
            assert len(memory) == 10_000
"""
    assert sandbox.run(source, TIGHT).passed


def test_a_file_that_stays_within_the_limit_is_fine(sandbox: Sandbox) -> None:
    outcome = sandbox.run("open('file', 'wb').write(bytes(3 * 2**20))", TIGHT)
    assert outcome.passed, outcome


@pytest.mark.parametrize(
    "source",
    [
        "while True: print('x' * 1000)",
        "import os\nwhile True: os.write(2, bytes(2**16))",
        "print('x' * 2**24)",
        "import threading\ndef f():\n while True: print('x')\nfor n in range(8): threading.Thread(target=f).start()",
        "import os\nos.write(1, bytes(2**16))\nos.write(2, b'x')",
    ],
)
def test_output_is_limited(sandbox: Sandbox, source: str) -> None:
    outcome = sandbox.run(source, TIGHT)
    assert outcome.status == "output", outcome
    assert len(outcome.stdout) + len(outcome.stderr) <= TIGHT.output_bytes


def test_output_up_to_the_limit_is_whole(sandbox: Sandbox) -> None:
    outcome = sandbox.run("print('x' * (2**16 - 1))", TIGHT)
    assert outcome.passed and len(outcome.stdout) == 2**16


def test_a_hundred_thousand_characters_come_whole(sandbox: Sandbox) -> None:
    outcome = sandbox.run("print('ä' * 100_000)")
    assert outcome.passed and outcome.stdout == "ä" * 100_000 + "\n"


def test_output_that_is_not_text_is_decoded_all_the_same(sandbox: Sandbox) -> None:
    outcome = sandbox.run("import os; os.write(1, bytes(range(256)) * 10)")
    assert outcome.passed and "\ufffd" in outcome.stdout


def test_a_fork_bomb_stays_one_process(sandbox: Sandbox) -> None:
    source = """
import os
n_refused = 0
for _ in range(10_000):
    try:
        os.fork()
    except OSError:
        n_refused += 1
print(n_refused)
"""
    assert sandbox.run(source).stdout == "10000\n"


@pytest.mark.parametrize("stack_bytes", [0, 32 * 1024])
def test_a_thread_bomb_is_ended(sandbox: Sandbox, stack_bytes: int) -> None:
    source = f"""
import threading, time
threading.stack_size({stack_bytes})
try:
    while True:
        threading.Thread(target=time.sleep, args=(1e6,)).start()
except RuntimeError:
    time.sleep(1e6)
"""
    outcome = sandbox.run(source)
    assert outcome.status == "killed", outcome
    assert "64 threads" in outcome.reason


@pytest.mark.parametrize(
    ("source", "name"),
    [
        ("import os; os.abort()", "SIGABRT"),
        ("import ctypes; ctypes.string_at(0)", "SIGSEGV"),
        ("import os; os.kill(os.getpid(), 9)", "SIGKILL"),
        ("import os; os.kill(os.getpid(), 15)", "SIGTERM"),
        ("import os; os.kill(os.getpid(), 40)", "signal 40"),
    ],
)
def test_a_program_ended_by_a_signal_says_which(sandbox: Sandbox, source: str, name: str) -> None:
    outcome = sandbox.run(source)
    assert (outcome.status, outcome.exit_code) == ("killed", None)
    assert name in outcome.reason


def test_a_closed_stdout_is_not_the_end(sandbox: Sandbox) -> None:
    source = "import os, time; os.close(1); time.sleep(0.1); os.write(2, b'still here')"
    outcome = sandbox.run(source)
    assert (outcome.status, outcome.stderr[:10]) == ("finished", "still here")


# A parent to be interrupted or killed, while its programs run.
PARENT = """
import sys, tempfile, threading
from herd.tools import Sandbox, SandboxLimits
sandbox = Sandbox.open()
print("ready", flush=True)
limits = SandboxLimits(timeout_s=1000, cpu_s=1000)
sandbox.run_many(["import time; time.sleep(1000)", "while True: pass"], n_workers=2, limits=limits)
"""


@contextlib.contextmanager
def parent(directory: Path) -> Iterator[subprocess.Popen[str]]:
    process = subprocess.Popen(
        [sys.executable, "-c", textwrap.dedent(PARENT)],
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
        env={**os.environ, "TMPDIR": str(directory)},
    )
    try:
        yield process
    finally:
        process.kill()
        process.communicate()


def wait_until(holds: Callable[[], bool]) -> bool:
    deadline = time.monotonic() + 30
    while time.monotonic() < deadline:
        if holds():
            return True
        time.sleep(0.02)
    return False


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGKILL])
def test_an_interrupted_or_killed_parent_leaves_no_program_behind(
    has_landlock: None, tmp_path: Path, number: signal.Signals
) -> None:
    with parent(tmp_path) as process:
        assert process.stdout is not None
        assert process.stdout.readline() == "ready\n"
        assert wait_until(lambda: len(children_of(process.pid)) == 2)
        programs = children_of(process.pid)
        process.send_signal(number)
        _, stderr = process.communicate(timeout=30)
        assert wait_until(lambda: not any(Path(f"/proc/{each}").exists() for each in programs))
    if number == signal.SIGINT:
        assert "KeyboardInterrupt" in stderr
        assert list(tmp_path.glob("herd-sandbox-*")) == []
    for directory in tmp_path.glob("herd-sandbox-*"):
        directory.rmdir()


def test_a_program_whose_first_thread_has_ended_ends_with_its_parent(
    has_landlock: None, tmp_path: Path
) -> None:
    source = "import ctypes, threading, time; threading.Thread(target=time.sleep, args=(1e6,)).start(); ctypes.CDLL(None).syscall(60 if __import__('os').uname().machine == 'x86_64' else 93, 0)"
    script = (
        f"from herd.tools import *; Sandbox.open().run({source!r}, SandboxLimits(timeout_s=1000))"
    )
    process = subprocess.Popen(
        [sys.executable, "-c", script], env={**os.environ, "TMPDIR": str(tmp_path)}
    )
    try:

        def leader_has_ended() -> bool:
            for each in children_of(process.pid) or first_threads_ended(process.pid):
                with contextlib.suppress(OSError):
                    if Path(f"/proc/{each}/stat").read_text().rpartition(")")[2].split()[0] == "Z":
                        programs.add(each)
            return bool(programs)

        programs: set[int] = set()
        assert wait_until(leader_has_ended)
        time.sleep(0.1)
        process.kill()
        process.wait()
        assert wait_until(lambda: not any(Path(f"/proc/{each}").exists() for each in programs))
    finally:
        process.kill()
        process.wait()


def first_threads_ended(parent: int) -> set[int]:
    """Children of a process whose command line is gone, with threads that go on."""
    found = set()
    for path in Path("/proc").glob("[0-9]*/stat"):
        with contextlib.suppress(OSError):
            fields = path.read_text().rpartition(")")[2].split()
            if int(fields[1]) == parent and len(list((path.parent / "task").iterdir())) > 1:
                found.add(int(path.parent.name))
    return found
