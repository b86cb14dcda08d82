"""Run programs that nobody has vetted, such as a language model's answers to HumanEval and MBPP.

In: source text, with tests or without. Out: how each program ended. Never: a program on a machine where the
canaries have not proved every lock; an exception for what a program did.
"""

from __future__ import annotations

import secrets
import threading
from collections.abc import Iterable
from concurrent.futures import ThreadPoolExecutor, as_completed

from herd.foundation import Progress, UserError
from herd.tools.sandbox.canaries import prove
from herd.tools.sandbox.child_process import run_program
from herd.tools.sandbox.confinement import Confinement, Program, find_confinement
from herd.tools.sandbox.limits import SandboxLimits
from herd.tools.sandbox.outcome import ProgramOutcome


class Sandbox:
    """A place for untrusted Python programs, made by `Sandbox.open`. It holds nothing that needs closing.

    A program gets a process of its own, the standard library, and an empty directory that it may write to.
    It may read the library directories of the interpreter and of the system, and no other file. It has no
    network, no other process, nothing on standard input, and only so much time, memory, disk and output. It
    may start threads. Sets are in the same order every time. What programs may miss: packages, subprocesses,
    modes and times of files, locks on bytes (so that SQLite has databases in memory only).

    What it can still do: learn of a file whose name it guesses that it exists, its size and dates (Landlock
    hides contents and lists, not `stat`); use a processor and the disk for as long as its limits say; and,
    like any program, exploit a bug of the kernel. Disk and threads are looked at every 20 ms, so that a
    program may pass those two limits by what it manages in between. Ended by SIGKILL, the parent takes its
    programs with it, but their directories `herd-sandbox-*` stay among the temporary files.
    """

    def __init__(self, confinement: Confinement, limits: SandboxLimits) -> None:
        """For `open`, which proves the confinement."""
        self._confinement, self._limits = confinement, limits

    @classmethod
    def open(cls, limits: SandboxLimits | None = None) -> Sandbox:
        """Return a sandbox with these limits for every run that brings none of its own.

        Raises UserError, which names the guarantee that cannot be given here, unless programs that try
        to break out are refused on this very machine. Takes about a second.
        """
        confinement = find_confinement()
        prove(lambda program, limits: run_program(program, limits, confinement, threading.Event()))
        return cls(confinement, limits or SandboxLimits())

    def run(self, source: str, limits: SandboxLimits | None = None) -> ProgramOutcome:
        """Run a program by itself, as `__main__`.

        Its exit code is its own word: a program that calls `os._exit(0)` ahead of its tests "passes". Use
        `check` where tests decide.
        """
        return self._run(_alone(source), limits, threading.Event())

    def check(self, code: str, tests: str, limits: SandboxLimits | None = None) -> ProgramOutcome:
        """Run code and then its tests in one namespace, whose `__name__` is not `__main__`.

        It passes if the tests come to their end: the process then says a random token, which is not in
        the namespace. `sys.exit(0)` or `os._exit(0)` ahead of that, and an unfinished string that swallows
        the tests, are failures. A program bent on fraud can still search its process for the token.
        """
        return self._run(_tested(code, tests), limits, threading.Event())

    def run_many(
        self,
        sources: Iterable[str],
        *,
        n_workers: int,
        limits: SandboxLimits | None = None,
        progress: Progress | None = None,
    ) -> list[ProgramOutcome]:
        """Run programs side by side; the outcomes are in the order of the sources."""
        programs = [_alone(source) for source in sources]
        return self._run_all(programs, n_workers, limits, progress)

    def check_many(
        self,
        pairs: Iterable[tuple[str, str]],
        *,
        n_workers: int,
        limits: SandboxLimits | None = None,
        progress: Progress | None = None,
    ) -> list[ProgramOutcome]:
        """Check pairs of code and tests side by side; the outcomes are in the order of the pairs."""
        programs = [_tested(code, tests) for code, tests in pairs]
        return self._run_all(programs, n_workers, limits, progress)

    def _run(
        self, program: Program, limits: SandboxLimits | None, stop: threading.Event
    ) -> ProgramOutcome:
        return run_program(program, limits or self._limits, self._confinement, stop)

    def _run_all(
        self,
        programs: list[Program],
        n_workers: int,
        limits: SandboxLimits | None,
        progress: Progress | None,
    ) -> list[ProgramOutcome]:
        if n_workers < 1:
            raise UserError(f"{n_workers} workers cannot run programs: give 1 or more")
        stop = threading.Event()
        with ThreadPoolExecutor(n_workers, "herd-sandbox") as pool:
            futures = [pool.submit(self._run, program, limits, stop) for program in programs]
            try:
                for future in as_completed(futures):
                    future.result()
                    if progress is not None:
                        progress.advance()
            except BaseException:  # Ctrl-C too: the threads kill what they wait for
                stop.set()
                pool.shutdown(wait=True, cancel_futures=True)
                raise
        return [future.result() for future in futures]


def _alone(source: str) -> Program:
    return Program(parts=(("<program>", source),))


def _tested(code: str, tests: str) -> Program:
    parts = ("<program>", code), ("<tests>", tests)
    return Program(parts=parts, module="program", token=secrets.token_hex(16))
