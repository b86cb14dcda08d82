"""What a sandboxed program may use up.

In: numbers. Out: limits that make sense together, and the kernel's part of them. Never: a limit of zero, or
none at all.
"""

from __future__ import annotations

import math
from dataclasses import dataclass, fields

from herd.foundation import UserError

MIN_MEMORY_BYTES = 64 * 2**20  # what the interpreter itself maps
MAX_OPEN_FILES = 128
FILE_SLACK_BYTES = 64 * 1024  # a file may grow past the limit this far, so that the watcher sees it


@dataclass(frozen=True, kw_only=True, slots=True)
class SandboxLimits:
    """The limits of one run.

    `timeout_s` is wall-clock time from the moment the program starts, `cpu_s` processor time over all its
    threads. `memory_bytes` is address space, the interpreter's own included. `scratch_bytes` is everything
    in the scratch directory together, deleted files that are still open too. `output_bytes` is stdout and
    stderr together.
    """

    timeout_s: float = 10.0
    cpu_s: float = 10.0
    memory_bytes: int = 2**30
    scratch_bytes: int = 64 * 2**20
    output_bytes: int = 2**20
    n_threads: int = 64

    def __post_init__(self) -> None:
        for field in fields(self):
            value = getattr(self, field.name)
            if isinstance(value, bool) or not math.isfinite(value) or value <= 0:
                raise UserError(f"sandbox limits: {field.name} is {value}, not a number above 0")
        if self.memory_bytes < MIN_MEMORY_BYTES:
            raise UserError(
                f"sandbox limits: memory_bytes is {self.memory_bytes}, but Python needs {MIN_MEMORY_BYTES}"
            )

    def resource_limits(self) -> dict[str, tuple[int, int]]:
        """Return the kernel's limits, soft and hard, by the names that module `resource` gives them."""
        cpu_s = math.ceil(self.cpu_s)
        hard = {
            "RLIMIT_AS": int(self.memory_bytes),
            # 1, not 0: the kernel then starts no handler of core dumps either (core(5)).
            "RLIMIT_CORE": 1,
            "RLIMIT_FSIZE": int(self.scratch_bytes) + FILE_SLACK_BYTES,
            "RLIMIT_MEMLOCK": 0,
            "RLIMIT_MSGQUEUE": 0,
            "RLIMIT_NOFILE": MAX_OPEN_FILES,
        }
        # SIGXCPU says by itself why a program ended; one that will not hear it is killed a second later.
        return {"RLIMIT_CPU": (cpu_s, cpu_s + 1)} | {
            name: (most, most) for name, most in hard.items()
        }
