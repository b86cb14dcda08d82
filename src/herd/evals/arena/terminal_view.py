"""A duel on a terminal: the prompt, and both answers side by side or one below the other.

In: a duel, a console. Out: panels. Never: a control character of an answer; markup taken from a text.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from herd.evals.arena.duel import SCALE, Duel
from herd.evals.arena.text import harmless, shortened

if TYPE_CHECKING:
    from rich.console import Console, RenderableType
    from rich.text import Text

WIDE_COLUMNS = 100
SCALE_LINE = "  ".join(f"{at} {words}" for at, words in enumerate(SCALE, 1))
HELP = f"{SCALE_LINE}\ns skips, b goes back, f shows all of long texts, q quits (nothing is lost)"


def show_duel(console: Console, duel: Duel, *, whole: bool = False) -> None:
    """Print a duel; `whole` shows all of long texts."""
    from rich.panel import Panel

    for message in duel.messages:
        title = "prompt" if message["role"] == "user" else message["role"]
        text = _text(message["content"], whole)
        console.print(Panel(text, title=harmless(title), title_align="left", border_style="cyan"))
    left, right = (_text(answer, whole) for answer in duel.shown())
    console.print(_answers(left, right, console.width))


def show_line(console: Console, line: str) -> None:
    """Print a line of ours, folded where the terminal is narrow."""
    from rich.text import Text

    console.print(Text(line))


def _answers(left: Text, right: Text, width: int) -> RenderableType:
    from rich.console import Group
    from rich.panel import Panel
    from rich.table import Table

    panels = (
        Panel(left, title="left", title_align="left"),
        Panel(right, title="right", title_align="left"),
    )
    if width < WIDE_COLUMNS:
        return Group(*panels)
    grid = Table.grid(expand=True)
    grid.add_column(ratio=1)
    grid.add_column(ratio=1)
    grid.add_row(*panels)
    return grid


def _text(text: str, whole: bool) -> Text:
    from rich.text import Text

    shown = text if whole else shortened(text)
    found = Text(harmless(shown), overflow="fold")
    if len(shown) < len(text):
        more = len(text) - len(shown)
        found.append(f"\n[{more:,} more characters: f shows them]", style="bold yellow")
    return found or Text("[empty]", style="dim")
