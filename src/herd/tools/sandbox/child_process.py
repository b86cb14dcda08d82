"""One program from its start to its end: started, watched, killed when it goes too far.

In: a program, limits, the locks. Out: its outcome. Never: a wait longer than the time limit, or a process or
a file left behind.
"""

from __future__ import annotations

import contextlib
import math
import os
import signal
import subprocess
import sys
import tempfile
import threading
import time
from collections.abc import Mapping
from pathlib import Path

from herd.foundation import format_bytes, format_seconds
from herd.tools.sandbox.confinement import Confinement, Program
from herd.tools.sandbox.disk_use import UnmeasurableError, live_threads, used_bytes
from herd.tools.sandbox.limits import SandboxLimits
from herd.tools.sandbox.outcome import ProgramOutcome, Status
from herd.tools.sandbox.pipes import Pipes
from herd.tools.sandbox.scratch import scratch_directory

CHILD = Path(__file__).with_name("child.py")
READY = b"ready\n"
START_TIME_S = 60.0  # to start Python and close the locks, on however busy a machine
LOOK_EVERY_S = 0.02
FIRST_WAIT_S = 0.001  # doubles while nothing is said
# Hashes without a random seed: a program that depends on a set's order does the same every time.
FLAGS = ("-s", "-P", "-S", "-B", "-X", "utf8")
ENVIRONMENT = {
    "PATH": "/usr/bin:/bin",
    "LANG": "C.UTF-8",
    "PYTHONHASHSEED": "0",
    "MALLOC_ARENA_MAX": "2",  # address space is limited, and each arena reserves 64 MiB
}

Cause = tuple[Status, str]


def run_program(
    program: Program, limits: SandboxLimits, confinement: Confinement, stop: threading.Event
) -> ProgramOutcome:
    """Run a program under these locks and limits; it is killed once `stop` is set."""
    with scratch_directory() as scratch:
        order = confinement.order(scratch, program, limits)
        with _ChildProcess(order, scratch, limits, stop) as child:
            child.watch()
            return child.outcome(program.token)


class _ChildProcess:
    """A process for the length of a block: it starts with the block, and is dead after it."""

    def __init__(
        self, order: bytes, scratch: str, limits: SandboxLimits, stop: threading.Event
    ) -> None:
        self._order, self._scratch, self._limits, self._stop = order, scratch, limits, stop
        self._cause: Cause | None = None  # why it was killed
        self._is_running = False  # the program, past the locks
        self._cpu_s = 0.0

    def __enter__(self) -> _ChildProcess:
        most_bytes = int(self._limits.output_bytes)
        self._pipes = Pipes("stdout", "stderr", "report", most_bytes=most_bytes, free="report")
        try:
            self._process = _start(self._order, self._scratch, self._pipes.writing_ends)
        except BaseException:
            self._pipes.close()
            raise
        self._pipes.close_writing_ends()
        self._started_at = self._looked_at = self._ended_at = time.monotonic()
        return self

    def __exit__(self, *_: object) -> None:
        self._kill()
        if self._process.returncode is None:
            self._reap(0)
        self._pipes.close()

    def watch(self) -> None:
        """Return when the process has ended."""
        wait_s = FIRST_WAIT_S
        while not self._reap(os.WNOHANG):
            wait_s = FIRST_WAIT_S if self._pipes.read(wait_s) else min(2 * wait_s, LOOK_EVERY_S)
            if self._cause is None:
                self._cause = self._transgression()
                if self._cause:
                    self._kill()
        self._ended_at = time.monotonic()
        self._pipes.drain()
        self._note_start()
        self._cause = self._cause or self._too_much_output() or self._too_much_disk(None)

    def outcome(self, token: str) -> ProgramOutcome:
        """Return what became of the program, once it has ended."""
        status, reason, exit_code = *self._status(), self._exit_code()
        has_token = self._pipes["report"].removeprefix(READY) == token.encode()
        if token and not has_token and (status, exit_code) == ("finished", 0):
            exit_code, reason = None, "the program ended before its tests did"
        return ProgramOutcome(
            status=status,
            exit_code=exit_code if status not in ("refused", "timeout", "output") else None,
            stdout=self._pipes["stdout"].decode(errors="replace"),
            stderr=self._pipes["stderr"].decode(errors="replace"),
            # A quick program's start is noticed after its end.
            duration_s=max(0.0, self._ended_at - self._started_at),
            reason=reason,
        )

    def _transgression(self) -> Cause | None:
        if self._stop.is_set():
            return "killed", "interrupted"
        now = time.monotonic()
        self._note_start()
        elapsed_s = now - self._started_at
        if not self._is_running:
            late = elapsed_s > START_TIME_S
            return ("refused", f"not ready in {format_seconds(START_TIME_S)}") if late else None
        if elapsed_s > self._limits.timeout_s:
            return "timeout", f"ran longer than {format_seconds(self._limits.timeout_s)}"
        if self._pipes.overflowed:
            return self._too_much_output()
        if now - self._looked_at < LOOK_EVERY_S:
            return None
        self._looked_at = now
        return self._too_many_threads() or self._too_much_disk(self._process.pid)

    def _note_start(self) -> None:
        if not self._is_running and self._pipes["report"].startswith(READY):
            self._is_running, self._started_at = True, time.monotonic()

    def _too_much_output(self) -> Cause | None:
        if not self._pipes.overflowed:
            return None
        return "output", f"printed more than {format_bytes(self._limits.output_bytes)}"

    def _too_many_threads(self) -> Cause | None:
        if len(live_threads(self._process.pid)) <= self._limits.n_threads:
            return None
        return "killed", f"started more than {self._limits.n_threads} threads"

    def _too_much_disk(self, pid: int | None) -> Cause | None:
        limit = int(self._limits.scratch_bytes)
        try:
            too_much = used_bytes(self._scratch, limit, pid) > limit
        except UnmeasurableError as error:
            return "disk", f"made {error}"
        return ("disk", f"wrote more than {format_bytes(limit)}") if too_much else None

    def _status(self) -> tuple[Status, str]:
        returncode = self._process.returncode
        if self._cause is not None and self._cause[0] != "refused":
            return self._cause
        if not self._is_running:
            return "refused", self._refusal()
        if returncode < 0:
            is_spent = self._cpu_s >= math.ceil(self._limits.cpu_s) - LOOK_EVERY_S
            # The kernel counts whole ticks against the limit, and may report less afterwards.
            if is_spent or -returncode == signal.SIGXCPU:
                limit = format_seconds(math.ceil(self._limits.cpu_s))
                return "timeout", f"used more than {limit} of processor time"
            return "killed", f"ended by {_signal_name(-returncode)}"
        if returncode and _last_line(self._pipes["stderr"]).startswith(b"MemoryError"):
            memory = format_bytes(self._limits.memory_bytes)
            return "memory", f"needed more than {memory} of memory"
        return "finished", ""

    def _refusal(self) -> str:
        if self._cause is not None:
            return f"the sandbox was not put up: {self._cause[1]}"
        said = self._pipes["report"] or _last_line(self._pipes["stderr"])
        detail = said.decode(errors="replace") or f"exit code {self._process.returncode}"
        return f"the sandbox was not put up: {detail}"

    def _exit_code(self) -> int | None:
        returncode = self._process.returncode
        return returncode if returncode >= 0 else None

    def _kill(self) -> None:
        if self._process.returncode is None:  # not reaped: the id is still its own
            with contextlib.suppress(ProcessLookupError):
                os.kill(self._process.pid, signal.SIGKILL)

    def _reap(self, options: int) -> bool:
        pid, status, usage = os.wait4(self._process.pid, options)
        has_ended = bool(pid) and not os.WIFSTOPPED(status)
        if has_ended:
            self._cpu_s = usage.ru_utime + usage.ru_stime
            self._process.returncode = os.waitstatus_to_exitcode(status)
        return has_ended


def _start(order: bytes, scratch: str, ends: Mapping[str, int]) -> subprocess.Popen[bytes]:
    with tempfile.TemporaryFile() as file:
        file.write(order)
        file.seek(0)
        return subprocess.Popen(
            [sys.executable, *FLAGS, str(CHILD), str(ends["report"])],
            stdin=file,
            stdout=ends["stdout"],
            stderr=ends["stderr"],
            pass_fds=(ends["report"],),
            cwd=scratch,
            env={**ENVIRONMENT, "HOME": scratch, "TMPDIR": scratch},
            start_new_session=True,  # Ctrl-C at the terminal is for the parent
        )


def _last_line(output: bytes) -> bytes:
    return output.rstrip().rpartition(b"\n")[2]


def _signal_name(number: int) -> str:
    with contextlib.suppress(ValueError):
        return signal.Signals(number).name
    return f"signal {number}"
