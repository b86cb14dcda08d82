"""What a run says: on the terminal, and in `log.txt` with the time.

In: one line at a time. Out: the same line on stderr and in the run's log.
"""

import sys
from datetime import datetime
from pathlib import Path

from herd.foundation import explain_write_errors


class RunLog:
    """Says lines on stderr and keeps them in a file."""

    def __init__(self, path: Path) -> None:
        self.path = path

    def say(self, line: str) -> None:
        """Say one line."""
        print(line, file=sys.stderr, flush=True)
        stamp = datetime.now().astimezone().isoformat(timespec="seconds")
        with explain_write_errors(self.path), self.path.open("a", encoding="utf-8") as file:
            file.write(f"{stamp}  {line}\n")
