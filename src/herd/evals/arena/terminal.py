"""Rate duels at a terminal: one after another, every rating kept at once.

In: duels, a rater's name, a console, what is typed. Out: ratings in a log; a session that was interrupted
goes on where it was. Never: the name of a model.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING

from herd.evals.arena.append_log import read_log
from herd.evals.arena.duel import HIGHEST, Duel
from herd.evals.arena.rating import Rating, latest_ratings, rating_of
from herd.evals.arena.terminal_view import HELP, show_duel, show_line
from herd.foundation import MetricsLog

if TYPE_CHECKING:
    from rich.console import Console

Read = Callable[[], str]
ASK = "1 to 7 (1 left, 7 right much better), s, b, f, q: "
CHOICES = {str(value): value for value in range(1, HIGHEST + 1)}


@dataclass
class Session:
    """Where a rater stands. `said` holds a value, or None for a pass, for each duel that had its turn."""

    duels: Sequence[Duel]
    rater: str
    log: MetricsLog
    said: dict[str, int | None]
    at: int = field(init=False)

    def __post_init__(self) -> None:
        """Begin at the first duel that had no turn yet."""
        self.at = self._open_from(0)

    @property
    def is_done(self) -> bool:
        """Whether every duel had its turn."""
        return len(self.said) == len(self.duels)

    @property
    def duel(self) -> Duel | None:
        """The duel whose turn it is; None behind the last."""
        return self.duels[self.at] if self.at < len(self.duels) else None

    def say(self, value: int | None) -> None:
        """Keep a rating, or a pass, and go on to the next duel without one."""
        item_id = self.duels[self.at].item_id
        self.log.write(Rating(item_id, self.rater, value).to_record())
        self.said[item_id] = value
        self.at = self._open_from(self.at + 1)

    def back(self) -> None:
        """Return to the duel before; the first one stays."""
        self.at = max(self.at - 1, 0)

    def _open_from(self, start: int) -> int:
        around = [*range(start, len(self.duels)), *range(start)]
        waiting = (at for at in around if self.duels[at].item_id not in self.said)
        return next(waiting, len(self.duels))


def rate_at_terminal(
    duels: Sequence[Duel], log_path: Path, rater: str, console: Console, read: Read | None = None
) -> bool:
    """Ask for ratings until all duels are rated or the rater quits; return whether all are.

    `read` gives a line that was typed; it raises EOFError at the end of input.
    """
    known = {one.item_id for one in duels}
    before = latest_ratings(read_log(log_path, rating_of))
    said = {one.item_id: one.value for one in before if one.rater == rater}
    said = {item_id: value for item_id, value in said.items() if item_id in known}
    with MetricsLog(log_path) as log:
        session = Session(duels, rater, log, said)
        if not session.is_done:
            _ask_all(session, console, read or (lambda: console.input(ASK, markup=False)))
        return session.is_done


def _ask_all(session: Session, console: Console, read: Read) -> None:
    show_line(console, HELP)
    is_new = True
    while True:
        if is_new:
            _show(session, console)
        try:
            typed = read().strip().lower()
        except EOFError:
            return
        if typed == "q" or (typed == "" and session.duel is None):
            return
        is_new = _obey(session, typed, console)


def _obey(session: Session, typed: str, console: Console) -> bool:
    """Do what was typed; return whether another duel is to be shown."""
    duel = session.duel
    if typed == "b":
        session.back()
    elif duel is not None and typed == "s":
        session.say(None)
    elif duel is not None and typed == "f":
        show_duel(console, duel, whole=True)
        return False
    elif duel is not None and typed in CHOICES:
        session.say(CHOICES[typed])
    else:
        show_line(console, HELP if duel is not None else "Enter ends, b goes back.")
        return False
    return True


def _show(session: Session, console: Console) -> None:
    duel, n = session.duel, len(session.duels)
    if duel is None:
        show_line(console, f"All {n:,} had their turn. Enter ends, b goes back.")
        return
    show_line(console, f"\n{session.at + 1:,} of {n:,}, {len(session.said):,} done")
    show_duel(console, duel)
    if duel.item_id in session.said:
        value = session.said[duel.item_id]
        show_line(console, f"You {'passed' if value is None else f'said {value}'}.")
