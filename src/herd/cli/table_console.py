"""Where a verb prints its tables: as wide as the terminal, or wide enough for a file."""

import os
import sys
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from rich.console import Console

PIPED_WIDTH = 140  # columns; rich takes a pipe for a terminal of 80 and cuts the names of tasks


def table_console() -> "Console":
    """Return standard output as rich's console; in a pipe with room, unless COLUMNS says how much."""
    from rich.console import Console

    is_measured = sys.stdout.isatty() or "COLUMNS" in os.environ
    return Console(width=None if is_measured else PIPED_WIDTH)
