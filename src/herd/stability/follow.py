"""A live run in the terminal: level and loss, the layers of most concern, what happened last.

In: the directory of a run whose log grows. Out: frames on a terminal, until the run is done or the
user leaves; one frame for a pipe.
Never: text of the log as markup, or its control characters on the terminal.
"""

import sys
import time
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

from herd.foundation import UserError, printable
from herd.stability.log_line import LEVELS
from herd.stability.report_episodes import CONCERN, layer_reason
from herd.stability.run_reading import DONE, RunReader, RunReading
from herd.stability.verdict import Level

if TYPE_CHECKING:
    from rich.console import Console, Group
    from rich.table import Table
    from rich.text import Text

LAST_STEPS = 2000  # of the log, kept for a frame
N_LAYERS, N_EVENTS = 10, 6
BLOCKS, PLAIN_BLOCKS = " ▁▂▃▄▅▆▇█", " .:-=+*#@"
STYLE = {
    Level.OK: "green",
    Level.RECOVERY: "blue",
    Level.WATCH: "yellow",
    Level.ALARM: "bold red",
}
SPARK_CHARS = 60


def follow_run(
    run: Path | str,
    *,
    once: bool = False,
    every_s: float = 1.0,
    console: "Console | None" = None,
) -> None:
    """Show a run until its `summary.json` is there; with `once`, as it stands now.

    Raises UserError when there is no such directory, or nothing to show of a run that is done or
    asked for once; KeyboardInterrupt goes through.
    """
    if not 0.05 <= every_s <= 3600:
        raise UserError(f"seconds between two looks must lie between 0.05 and 3600: {every_s}")
    from rich.console import Console

    console = console or Console()
    reader = RunReader(run)
    if once:
        reader.poll(to_the_end=True)
        console.print(frame(reader.reading(LAST_STEPS), _blocks(console)))
        return
    _follow(reader, console, every_s)


def _follow(reader: RunReader, console: "Console", every_s: float) -> None:
    from rich.live import Live
    from rich.text import Text

    waiting = Text(f"waiting for the first watched step in {printable(str(reader.path))}")
    with Live(waiting, console=console, auto_refresh=False, transient=False) as live:
        while True:
            is_done = (reader.run / DONE).exists()  # before reading: then nothing is missed
            if reader.poll(to_the_end=is_done) and reader.n_steps:
                live.update(frame(reader.reading(LAST_STEPS), _blocks(console)), refresh=True)
            if is_done:
                break
            time.sleep(every_s)
    if not reader.n_steps:
        reader.reading()  # says what is missing


def frame(reading: RunReading, blocks: str = BLOCKS) -> "Group":
    """Return what one look shows."""
    from rich.console import Group

    return Group(_heading(reading), _loss_line(reading, blocks), _layers(reading), _events(reading))


def sparkline(values: NDArray[np.float64], blocks: str = BLOCKS, width: int = SPARK_CHARS) -> str:
    """Return the values as blocks, the greatest of each part; `x` where none is finite."""
    if not len(values):
        return ""
    parts = np.array_split(values, min(width, len(values)))
    finite = values[np.isfinite(values)]
    if not len(finite):
        return "x" * len(parts)
    low, span = float(finite.min()), float(np.ptp(finite)) or 1.0
    return "".join(_block(part, low, span, blocks) for part in parts)


def _block(part: NDArray[np.float64], low: float, span: float, blocks: str) -> str:
    finite = part[np.isfinite(part)]
    if not len(finite):
        return "x"
    share = (float(finite.max()) - low) / span
    return blocks[1 + min(int(share * (len(blocks) - 1)), len(blocks) - 2)]


def _blocks(console: "Console") -> str:
    encoding = (console.encoding or sys.getdefaultencoding()).lower()
    return BLOCKS if encoding.startswith("utf") else PLAIN_BLOCKS


def _heading(reading: RunReading) -> "Text":
    from rich.text import Text

    level = LEVELS[reading.level_N[-1]]
    text = Text(f"{printable(reading.run.resolve().name)}  step {reading.step_N[-1]:,}  ")
    text.append(level.value, style=STYLE[level])
    text.append("  done" if reading.is_done else "  running")
    if reading.n_bad_lines:
        text.append(f"  {reading.n_bad_lines:,} lines could not be read")
    return text


def _loss_line(reading: RunReading, blocks: str) -> "Text":
    from rich.text import Text

    known = reading.loss_N[~np.isnan(reading.loss_N)]
    if not len(known):
        return Text("loss not in the log")
    return Text(f"loss {known[-1]:.4g} nats  {sparkline(known, blocks)}")


def _layers(reading: RunReading) -> "Table":
    from rich.table import Column, Table
    from rich.text import Text

    table = Table(
        Column("layer", overflow="ellipsis", no_wrap=True, max_width=28),
        Column("level", no_wrap=True),
        Column("update RMS", justify="right"),
        Column("alignment", justify="right"),
        Column("cold", justify="right"),
        Column("why", overflow="fold", ratio=1),
    )
    for place in _worst_first(reading)[:N_LAYERS]:
        level = LEVELS[reading.level_NL[-1, place]]
        last = {name: float(values[-1, place]) for name, values in reading.columns_NL.items()}
        table.add_row(
            Text(printable(reading.layers[place])),
            Text(level.value, style=STYLE[level]),
            _number(last["update_rms"], ".3f"),
            _number(last["alignment"], "+.3f"),
            _number(last["cold_fraction"], ".0%"),
            Text("" if level is Level.OK else printable(layer_reason(reading, place), 240)),
        )
    return table


def _worst_first(reading: RunReading) -> Sequence[int]:
    """Return layers by concern; among equals those with the largest update first."""
    rms = np.nan_to_num(reading.columns_NL["update_rms"][-1].astype(np.float64), posinf=1e30)
    return [int(place) for place in np.lexsort((-rms, -CONCERN[reading.level_NL[-1]].astype(int)))]


def _events(reading: RunReading) -> "Text":
    from rich.text import Text

    told = [
        (each.step, each.level.value, each.reasons[0] if each.reasons else "")
        for each in reading.changes[-N_EVENTS:]
    ]
    told += [(each.step, each.name, each.what) for each in reading.interventions[-N_EVENTS:]]
    text = Text("")
    for step, name, words in sorted(told, key=lambda each: each[0])[-N_EVENTS:]:
        style = STYLE[Level(name)] if name in STYLE else "cyan"
        text.append(f"{step:>9,}  ")
        text.append(printable(name, 24), style=style)
        text.append(f"  {printable(words, 160)}\n")
    return text if told else Text("no change of level so far")


def _number(value: float, how: str) -> str:
    return "-" if np.isnan(value) else format(value, how)
