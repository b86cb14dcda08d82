"""What every program of a sandbox is locked in with, worked out once.

In: this machine. Out: the order that one process is given: its locks, its limits, its program. Never: an
order on a machine that has not got every lock.
"""

from __future__ import annotations

import dataclasses
import marshal
import os
import platform
import sys
from dataclasses import dataclass

from herd.foundation import UserError
from herd.tools.sandbox.landlock import (
    WRITE_FILE,
    WRITE_TREE,
    build_ruleset,
    landlock_abi,
    readable_grants,
)
from herd.tools.sandbox.limits import SandboxLimits
from herd.tools.sandbox.seccomp import Filter, build_filter
from herd.tools.sandbox.syscalls import MACHINES

LIBRARIES = ("/usr/lib", "/usr/lib32", "/usr/lib64", "/lib", "/lib64", "/usr/share/zoneinfo")
SYSTEM_FILES = ("/etc/ld.so.cache", "/etc/localtime", "/dev/zero", "/dev/random", "/dev/urandom")
NEEDED = "a Linux kernel with Landlock (5.13) and seccomp is needed, on x86_64 or aarch64"


@dataclass(frozen=True, kw_only=True, slots=True)
class Program:
    """Pieces of source, by the names they have in tracebacks, run one after the other in one module.

    With a token, the process says it once the last piece has come to its end.
    """

    parts: tuple[tuple[str, str], ...]
    module: str = "__main__"
    token: str = ""


@dataclass(frozen=True, kw_only=True, slots=True)
class Confinement:
    """The locks: files that may be read, the version of Landlock, the filter of system calls."""

    landlock_abi: int
    grants: dict[str, tuple[str, ...]]
    filter: Filter

    def order(self, scratch: str, program: Program, limits: SandboxLimits) -> bytes:
        """Return what `child.py` reads. Marshalled: parent and child are the same interpreter, and the
        child then needs to import nothing to read it.
        """
        ruleset = build_ruleset(self.landlock_abi, {**self.grants, scratch: WRITE_TREE})
        return marshal.dumps(
            {
                "parent_pid": os.getpid(),
                "resources": limits.resource_limits(),
                "ruleset": {
                    field.name: getattr(ruleset, field.name)
                    for field in dataclasses.fields(ruleset)
                },
                "filter": self.filter.code,
                "own_pid_slots": self.filter.own_pid_slots,
                "parts": program.parts,
                "module": program.module,
                "token": program.token,
            }
        )


def find_confinement() -> Confinement:
    """Return the locks that this machine has. Raises UserError if one is missing."""
    if sys.platform != "linux":
        raise UserError(f"untrusted programs cannot be run safely on {sys.platform}: {NEEDED}")
    machine = platform.machine()
    if machine not in MACHINES or sys.byteorder != "little" or sys.maxsize < 2**32:
        raise UserError(f"untrusted programs cannot be run safely on {machine}: {NEEDED}")
    abi = landlock_abi()
    if abi < 1:
        raise UserError(
            "untrusted programs cannot be kept from your files, Landlock is missing or switched off "
            f"(or forbidden by the container): {NEEDED}"
        )
    return Confinement(
        landlock_abi=abi,
        grants={
            **readable_grants([*interpreter_directories(), *LIBRARIES], SYSTEM_FILES),
            "/dev/null": WRITE_FILE,
        },
        filter=build_filter(machine),
    )


def interpreter_directories() -> list[str]:
    """Return where the standard library and its shared libraries are, without a virtual environment."""
    prefixes = {sys.base_prefix, sys.base_exec_prefix}
    directories = {os.path.join(prefix, lib) for prefix in prefixes for lib in ("lib", "lib64")}
    return sorted(directories | {os.path.dirname(os.path.realpath(os.__file__))})
