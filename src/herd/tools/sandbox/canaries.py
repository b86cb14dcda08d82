"""Programs that try to break out: a sandbox is opened only where every one of them fails.

In: a way to run a program. Out: nothing, or the error that names the guarantee that does not hold here.
Never: harm, should an attempt succeed; trust in a program's own word where the parent can look for itself.
"""

from __future__ import annotations

import os
import tempfile
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path

import herd.foundation
from herd.foundation import UserError
from herd.tools.sandbox.confinement import LIBRARIES, NEEDED, Program, interpreter_directories
from herd.tools.sandbox.limits import SandboxLimits
from herd.tools.sandbox.outcome import ProgramOutcome, Status

RunProgram = Callable[[Program, SandboxLimits], ProgramOutcome]
SECRET = "the parent's file"
N_TOGETHER = 4
# Generous in time: another program may have the processor.
LIMITS = SandboxLimits(
    timeout_s=60, cpu_s=30, memory_bytes=2**28, scratch_bytes=2**20, output_bytes=2**16
)
IMPATIENT = SandboxLimits(timeout_s=0.2, cpu_s=30, memory_bytes=2**28)


@dataclass(frozen=True, kw_only=True, slots=True)
class Canary:
    """A program, what it must come to, and the guarantee that does not hold if it does not."""

    guarantee: str
    source: str
    status: Status
    stdout: str = "tried\n"
    limits: SandboxLimits = LIMITS


# Runs an attempt; prints its name unless the system refuses. Absent files prove nothing, and harm nothing.
ATTEMPT = """
import ctypes, errno, os, signal, socket
REFUSED = {errno.EPERM, errno.EACCES, errno.ENOSYS, errno.EXDEV, errno.ENOENT}
libc = ctypes.CDLL(None, use_errno=True)
def raw(result):
    if result == -1:
        raise OSError(ctypes.get_errno(), "")
def attempt(name, act):
    try:
        act()
    except OSError as error:
        if error.errno in REFUSED:
            return
    print(name)
def fork():
    if os.fork() == 0:
        os._exit(0)
"""
NETWORK = """
for family in ("AF_INET", "AF_INET6", "AF_UNIX", "AF_NETLINK", "AF_PACKET"):
    number = getattr(socket, family)
    for kind in (socket.SOCK_STREAM, socket.SOCK_DGRAM, socket.SOCK_RAW):
        attempt(family, lambda: socket.socket(number, kind))
attempt("io_uring", lambda: raw(libc.syscall(425, 1, ctypes.create_string_buffer(256))))
"""
READING = """
for path in {unreadable!r}:
    attempt(path, lambda: os.listdir(path) if os.path.isdir(path) else open(path))
"""
WRITING = """
file, fresh = {file!r}, {file!r} + ".new"
os.symlink(file, "link")
attempt("append", lambda: open(file, "a"))
attempt("through a link", lambda: open("link", "a"))
attempt("create", lambda: open(fresh, "w"))
attempt("directory", lambda: os.mkdir(fresh))
attempt("delete", lambda: os.unlink(file))
attempt("move in", lambda: os.rename(file, "moved"))
attempt("move out", lambda: os.rename("link", fresh))
attempt("link in", lambda: os.link(file, "hard"))
attempt("truncate", lambda: os.truncate(file, 0))
attempt("truncate by opening", lambda: os.open(file, os.O_TRUNC))
attempt("mode", lambda: os.chmod(file, 0o777))
attempt("owner", lambda: os.chown(file, os.getuid(), os.getgid()))
attempt("times", lambda: os.utime(file, (1, 1)))
attempt("attribute", lambda: os.setxattr(file, "user.herd", b"1"))
"""
# An attempt that ends the program is no proof either.
TRIED = """
print("tried")
"""
PROCESSES = """
attempt("fork", fork)
attempt("exec", lambda: os.execv("/bin/true", ["true"]))
attempt("signal the parent", lambda: os.kill(os.getppid(), 0))
attempt("signal everybody", lambda: os.kill(-1, 0))
attempt("ptrace", lambda: raw(libc.ptrace(2, os.getppid(), 0, 0)))
attempt("unshare", lambda: raw(libc.unshare(0x10000000)))
attempt("outlive the parent", lambda: raw(libc.prctl(1, 0, 0, 0, 0)))
"""
HARMLESS = """
import collections, dataclasses, datetime, decimal, functools, hashlib, heapq, itertools, json, math
import os, random, re, statistics, string, tempfile, threading, typing
with open("file", "w") as file:
    file.write("scratch")
with tempfile.TemporaryFile() as file:
    file.write(b"scratch")
thread = threading.Thread(target=lambda: print(open("file").read(), os.listdir(".")))
thread.start()
thread.join()
try:
    input()
except EOFError:
    print("end")
"""
MEMORY = "bytes(2**28)"
ONE_FILE = """
with open("file", "wb") as file:
    for _ in range(64):
        file.write(bytes(2**16))
"""
MANY_FILES = """
import time
for number in range(10_000):
    open(str(number), "w").close()
time.sleep(60)
"""
DELETED_FILES = """
import os, time
files = []
for number in range(64):
    files.append(open("file", "wb", buffering=0))
    files[-1].write(bytes(2**16))
    os.unlink("file")
time.sleep(60)
"""
OUTPUT = """
while True:
    print("x" * 10_000)
"""


def prove(run: RunProgram) -> None:
    """Raise UserError unless every guarantee holds for programs run so."""
    with tempfile.TemporaryDirectory(prefix="herd-canary-") as directory:
        file = Path(directory, "file")
        file.write_text(SECRET, encoding="utf-8")
        before = _state(file)
        canaries = make_canaries(file)
        with ThreadPoolExecutor(N_TOGETHER) as pool:
            outcomes = list(pool.map(lambda each: _run(run, each), canaries))
        for canary, outcome in zip(canaries, outcomes, strict=True):
            _judge(canary, outcome)
        if _state(file) != before:
            raise _error("be kept from writing to your files", "a file was changed")


def make_canaries(file: Path) -> list[Canary]:
    """Return the programs; the file is one of the parent's, in a directory of its own."""
    attempts = {
        "be kept from the network": NETWORK,
        "be kept from reading your files": READING.format(unreadable=_unreadable(file)),
        "be kept from writing to your files": WRITING.format(file=str(file)),
        "be kept from other processes": PROCESSES,
    }
    return [
        Canary(
            guarantee="run at all",
            source=HARMLESS,
            status="finished",
            stdout="scratch ['file']\nend\n",
        ),
        *(
            Canary(guarantee=guarantee, source=f"{ATTEMPT}{source}{TRIED}", status="finished")
            for guarantee, source in attempts.items()
        ),
        Canary(guarantee="be held to their memory", source=MEMORY, status="memory"),
        Canary(guarantee="be held to their disk space", source=ONE_FILE, status="disk"),
        Canary(guarantee="be held to their disk space", source=MANY_FILES, status="disk"),
        Canary(guarantee="be held to their disk space", source=DELETED_FILES, status="disk"),
        Canary(guarantee="be held to their output", source=OUTPUT, status="output"),
        Canary(
            guarantee="be held to their time",
            source="while True: pass",
            status="timeout",
            limits=IMPATIENT,
        ),
    ]


def _unreadable(file: Path) -> list[str]:
    """Return what is nobody's business, but for what lies inside the interpreter's own library."""
    wanted = [
        *("/", "/etc/passwd", "/etc/hostname", "/proc", "/proc/1/environ", "/proc/self/environ"),
        *("/sys", "/tmp", "/root", "/home", os.path.expanduser("~"), os.getcwd()),
        *(str(herd.foundation.__file__), str(file), str(file.parent)),
    ]
    granted = [Path(path).resolve() for path in (*interpreter_directories(), *LIBRARIES)]

    def is_granted(path: str) -> bool:
        return any(Path(path).resolve().is_relative_to(each) for each in granted)

    return [path for path in wanted if not is_granted(path)]


def _run(run: RunProgram, canary: Canary) -> ProgramOutcome:
    return run(Program(parts=(("<canary>", canary.source),)), canary.limits)


def _judge(canary: Canary, outcome: ProgramOutcome) -> None:
    if outcome.status == "refused":
        raise _error("be run safely", outcome.reason)
    holds = outcome.status == canary.status
    if holds and canary.status == "finished":
        holds = outcome.passed and outcome.stdout == canary.stdout
    if not holds:
        raise _error(canary.guarantee, _evidence(canary, outcome))


def _evidence(canary: Canary, outcome: ProgramOutcome) -> str:
    expected = canary.stdout.splitlines()
    unexpected = [line for line in outcome.stdout.splitlines() if line not in expected]
    said = [*dict.fromkeys(unexpected), *outcome.stderr.splitlines()[-1:], outcome.reason]
    return ", ".join(line for line in said if line)[:200] or f"it {outcome.status}"


def _state(file: Path) -> object:
    status = os.stat(file)
    rest = status.st_mode, status.st_uid, status.st_gid, status.st_nlink, status.st_mtime_ns
    return sorted(os.listdir(file.parent)), file.read_text(encoding="utf-8"), rest


def _error(guarantee: str, detail: str) -> UserError:
    return UserError(f"untrusted programs cannot {guarantee} here ({detail}): {NEEDED}")
