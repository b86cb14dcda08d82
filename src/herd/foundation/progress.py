"""Progress of long work: how far, how fast, how long still.

In: a description, a total and advances. Out: a live bar on a terminal; a plain line every few
seconds elsewhere (a log, a CI page). Always on stderr, so that data on stdout stays clean.
"""

import contextlib
import sys
import time
from collections.abc import Iterator
from typing import Protocol

from herd.foundation.units import format_bytes, format_count, format_seconds

PLAIN_LINE_EVERY_S = 10.0


class Progress(Protocol):
    """What the block of `progress_bar` is handed."""

    def advance(self, amount: float = 1, **fields: object) -> None:
        """Add to what is done; `fields` (loss=2.1, ...) are shown beside the bar."""


@contextlib.contextmanager
def progress_bar(
    description: str, total: float | None, unit: str = "it", *, done: float = 0
) -> Iterator[Progress]:
    """Show a bar while the block lasts. With unit `B`, amounts are bytes.

    `done` is what an earlier run already did: it counts as progress, not towards the rate.
    """
    if sys.stderr.isatty():
        with _live_bar(description, total, unit, done) as bar:
            yield bar
    else:
        plain = _PlainProgress(description, total, unit, done)
        yield plain
        plain.finish()


class _Tally:
    """Amount done and the rate since the start."""

    def __init__(self, total: float | None, unit: str, done: float) -> None:
        self.total, self.unit, self.done, self.done_before = total, unit, done, done
        self.started_at = time.monotonic()

    def text(self) -> str:
        """Return `120/400 it, 3.10 it/s, 1 m 30 s left`."""
        elapsed_s = max(time.monotonic() - self.started_at, 1e-9)
        rate = (self.done - self.done_before) / elapsed_s
        of_total = f"/{self._amount(self.total)}" if self.total else ""
        text = f"{self._amount(self.done)}{of_total}, {self._amount(rate)}/s"
        if self.total and rate > 0:
            text += f", {format_seconds(max(self.total - self.done, 0) / rate)} left"
        return text

    def _amount(self, amount: float) -> str:
        if self.unit == "B":
            return format_bytes(amount)
        return f"{format_count(amount)} {self.unit}"


class _PlainProgress:
    """A line now and then, where no terminal can redraw one."""

    def __init__(self, description: str, total: float | None, unit: str, done: float) -> None:
        self._description, self._tally = description, _Tally(total, unit, done)
        self._said_at = time.monotonic()
        self._fields: dict[str, object] = {}

    def advance(self, amount: float = 1, **fields: object) -> None:
        self._tally.done += amount
        self._fields.update(fields)
        if time.monotonic() - self._said_at >= PLAIN_LINE_EVERY_S:
            self._say()

    def finish(self) -> None:
        self._say()

    def _say(self) -> None:
        self._said_at = time.monotonic()
        shown = "".join(f", {name} {value}" for name, value in self._fields.items())
        print(f"{self._description}: {self._tally.text()}{shown}", file=sys.stderr, flush=True)


@contextlib.contextmanager
def _live_bar(description: str, total: float | None, unit: str, done: float) -> Iterator[Progress]:
    from rich.console import Console
    from rich.progress import BarColumn, Progress, TextColumn

    columns = TextColumn("{task.description}"), BarColumn(), TextColumn("{task.fields[tally]}")
    tally = _Tally(total, unit, done)
    with Progress(*columns, console=Console(stderr=True)) as bars:
        task = bars.add_task(description, total=total, completed=int(done), tally="")

        class LiveProgress:
            def advance(self, amount: float = 1, **fields: object) -> None:
                tally.done += amount
                shown = "".join(f"  {name} {value}" for name, value in fields.items())
                bars.update(task, advance=amount, tally=tally.text() + shown)

        yield LiveProgress()
