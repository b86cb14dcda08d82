"""A terminal view of a run as it goes: level, loss, the layers to look at, what happened last.

In: a run directory whose `stability.jsonl` may still be growing. Out: a frame, drawn again as the log
grows, until the run is done (`summary.json` is there), or one frame.
Never: more of the log in memory than the frame shows.
"""

import json
import time
from collections import deque
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any

from herd.foundation import UserError
from herd.stability.verdict import Level
from herd.stability.watch_log import LETTER, LOG_NAME

if TYPE_CHECKING:
    from rich.console import RenderableType

DONE_FILE = "summary.json"
SHOWN_LAYERS, SHOWN_EVENTS, SHOWN_STEPS = 10, 6, 60
LARGEST = 1e30  # beyond it nothing is drawn
BARS = "▁▂▃▄▅▆▇█"
LEVEL_OF = {letter: level for level, letter in LETTER.items()}
COLOUR = {
    Level.OK: "green",
    Level.WATCH: "yellow",
    Level.ALARM: "bold red",
    Level.RECOVERY: "cyan",
}
COLUMNS = (("update_rms", "update RMS"), ("alignment", "alignment"), ("cold_fraction", "cold"))


@dataclass(eq=False, slots=True)
class Tail:
    """The end of a growing log: read on from where the last look stopped."""

    path: Path
    layers: list[str] = field(default_factory=list)
    steps: deque[dict[str, Any]] = field(default_factory=lambda: deque(maxlen=SHOWN_STEPS))
    events: deque[tuple[int, str]] = field(default_factory=lambda: deque(maxlen=SHOWN_EVENTS))
    n_steps: int = 0
    offset: int = 0

    def read_on(self) -> bool:
        """Take in the whole lines that were added; return whether there were any."""
        if self.path.stat().st_size < self.offset:  # a resumed run cut its log
            self.offset, self.n_steps = 0, 0
            self.steps.clear()
            self.events.clear()
        with self.path.open("rb") as file:
            file.seek(self.offset)
            found = False
            for line in file:
                if not line.endswith(b"\n"):
                    break
                self.offset += len(line)
                self._take(line)
                found = True
        return found

    def _take(self, line: bytes) -> None:
        try:
            record = json.loads(line)
        except (ValueError, RecursionError):
            return
        if not isinstance(record, dict):
            return
        if "layers" in record:
            layers = record["layers"]
            self.layers = [printable(layer) for layer in layers] if isinstance(layers, list) else []
        elif "intervention" in record:
            self.events.append((record.get("step", 0), printable(record.get("what", ""))))
        elif "levels" in record:
            self.steps.append(record)
            self.n_steps += 1
            reasons = record.get("reasons")
            for reason in reasons if isinstance(reasons, list) else []:
                self.events.append((record.get("step", 0), printable(reason)))


def follow_run(run: Path, *, once: bool = False, every_s: float = 1.0) -> None:
    """Show a run until it is done; with `once`, as it is now.

    Raises UserError when there is no such run or it is not watched.
    """
    if not every_s > 0:
        raise UserError(f"--every must be above 0 seconds, not {every_s}")
    from rich.console import Console

    console = Console()
    if console.is_terminal and not once:
        wait_for_log(run, every_s)
    tail = Tail(find_log(run))
    tail.read_on()
    if once or not console.is_terminal:
        console.print(frame(tail, run))
        return
    from rich.live import Live

    with Live(frame(tail, run), console=console, auto_refresh=False) as live:
        while True:
            is_done = (run / DONE_FILE).exists()
            if tail.read_on() or is_done:
                live.update(frame(tail, run), refresh=True)
            if is_done:
                return
            time.sleep(every_s)


def wait_for_log(run: Path, every_s: float) -> None:
    """Wait until a run that has begun (its directory is there) begins to train."""
    while run.is_dir() and not (run / LOG_NAME).exists() and not (run / DONE_FILE).exists():
        time.sleep(every_s)


def find_log(run: Path) -> Path:
    """Return the log of a run; raise UserError if there is none."""
    if not run.is_dir():
        raise UserError(f"there is no run directory {run}")
    path = run / LOG_NAME
    if not path.is_file():
        raise UserError(
            f"{run} has no {LOG_NAME}: the run has not begun to train, or it was not watched"
        )
    return path


def frame(tail: Tail, run: Path) -> "RenderableType":
    """Return what is shown."""
    from rich.console import Group
    from rich.text import Text

    if not tail.steps:
        return Text(f"{run.name}: no watched step yet")
    last = tail.steps[-1]
    level = next((each for each in Level if each.value == last.get("level")), Level.OK)
    losses = [_finite(step.get("loss_nats")) for step in tail.steps]
    head = Text.assemble(
        (f"{run.name}  step {last.get('step')}  ", "bold"), (level.value, COLOUR[level])
    )
    loss = Text(f"loss {_number(losses[-1])}  {sparkline(losses)}  {tail.n_steps:,} watched steps")
    events = [Text(f"step {step}: {what}") for step, what in tail.events]
    return Group(head, loss, layers_table(tail, last), *events)


def layers_table(tail: Tail, last: dict[str, Any]) -> "RenderableType":
    """Return the layers that are not OK and, below them, those with the largest updates."""
    from rich.table import Table
    from rich.text import Text

    levels = [LEVEL_OF.get(letter, Level.OK) for letter in str(last.get("levels", ""))]
    table = Table(box=None, pad_edge=False)
    for name in ("layer", "level", *(title for _, title in COLUMNS)):
        table.add_column(name, justify="left" if name in ("layer", "level") else "right")
    order = sorted(
        range(min(len(levels), len(tail.layers))),
        key=lambda i: (-levels[i].concern, -(_entry(last, "update_rms", i) or 0.0)),
    )
    for i in order[:SHOWN_LAYERS]:
        table.add_row(
            Text(tail.layers[i]),
            Text(levels[i].value, COLOUR[levels[i]]),
            *(_number(_entry(last, column, i)) for column, _ in COLUMNS),
        )
    return table


def sparkline(values: list[float | None]) -> str:
    """Return a line of bars, one a value, blank where there is none."""
    known = [value for value in values if value is not None]
    if not known:
        return ""
    low, spread = min(known), max(known) - min(known)
    steps = len(BARS) - 1
    return "".join(
        " " if value is None else BARS[round((value - low) / spread * steps) if spread else 0]
        for value in values
    )


def _entry(record: dict[str, Any], column: str, index: int) -> float | None:
    entries = record.get(column)
    if not isinstance(entries, list) or index >= len(entries):
        return None
    return _finite(entries[index])


def printable(text: object) -> str:
    """Return text from a log without what could steer the terminal."""
    return "".join(letter for letter in str(text) if letter.isprintable())


def _finite(value: Any) -> float | None:
    is_number = isinstance(value, int | float) and abs(value) < LARGEST
    return float(value) if is_number else None


def _number(value: float | None) -> str:
    return "-" if value is None else f"{value:.3g}"
