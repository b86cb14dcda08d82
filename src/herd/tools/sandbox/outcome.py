"""How a sandboxed program ended.

In: nothing. Out: the value that a run hands back. Never: an exception for what a program did.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

Status = Literal["finished", "timeout", "memory", "disk", "output", "killed", "refused"]


@dataclass(frozen=True, kw_only=True, slots=True)
class ProgramOutcome:
    """What became of one program.

    `status` is "finished" for a program that ended by itself, or the limit that it ran into: "timeout" (wall
    clock or processor), "memory", "disk", "output". "killed": by a signal, for too many threads, or since
    the caller was interrupted. "refused": the sandbox could not be put up, and the program never ran.

    `exit_code` is None for a program that was killed or never ran, and for one whose tests were not reached
    to their end (`Sandbox.check`) though it ended with 0. `stdout` and `stderr` hold what came before the
    limit of output, with U+FFFD for bytes that are not UTF-8. `reason` is a line for people, "" where
    `exit_code` says all.
    """

    status: Status
    exit_code: int | None
    stdout: str
    stderr: str
    duration_s: float
    reason: str

    @property
    def passed(self) -> bool:
        """Whether the program, with its tests if it had some, came to its end with exit code 0."""
        return self.status == "finished" and self.exit_code == 0
