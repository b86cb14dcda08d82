"""One HTML page on which duels are rated, and the ratings that come back from it.

In: a comparison; a `ratings.json` that its page saved. Out: the page, whose texts cannot run; ratings,
checked. Never: a model's name in the page.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from herd.evals.arena.directory import ArenaDirectory
from herd.evals.arena.duel import SCALE, is_rating
from herd.evals.arena.rating import MAX_NAME_CHARS, Rating, latest_ratings
from herd.evals.arena.text import SHOWN_CHARS, harmless, unicode_text
from herd.foundation import MetricsLog, UserError, read_json, render_page, write_text

PAGE, FORMAT = "rate.html", "herd-arena-ratings"


@dataclass(frozen=True, slots=True)
class Imported:
    """What came of a file of ratings, by how it compares with what was there."""

    rater: str
    n_new: int = 0
    n_changed: int = 0
    n_same: int = 0
    n_unknown: int = 0

    def sentence(self) -> str:
        """Return the counts in words."""
        unknown = f", {self.n_unknown:,} of unknown items left out" if self.n_unknown else ""
        return (
            f"ratings of {harmless(self.rater)}: {self.n_new:,} new, {self.n_changed:,} changed, "
            f"{self.n_same:,} known already{unknown}"
        )


def write_rating_page(arena: ArenaDirectory) -> Path:
    """Write the page into the comparison's directory; return its path."""
    items = [
        {
            "id": one.item_id,
            "messages": [
                {"role": m["role"], "content": harmless(m["content"])} for m in one.messages
            ],
            "left": harmless(one.shown()[0]),
            "right": harmless(one.shown()[1]),
        }
        for one in arena.duels
    ]
    page = render_page(
        "herd.evals.arena",
        "rating_page.html.jinja",
        title="Which answer is better?",
        subtitle=f"{len(items):,} prompts, two answers each. What you say stays in this browser until you download it.",
        scale=SCALE,
        data={"page": arena.page_id, "format": FORMAT, "shown": SHOWN_CHARS, "items": items},
    )
    path = arena.path / PAGE
    write_text(path, page)
    return path


def import_ratings(arena: ArenaDirectory, path: Path, rater: str) -> Imported:
    """Add what a page saved to the log of ratings; a later file of the same rater replaces an earlier.

    `rater` is who rated unless the file says. Raises UserError for the file of another page, and for
    one that is damaged.
    """
    stored = read_json(path)
    rows = _checked_rows(stored, path, arena)
    name = _rater(stored, path) or rater
    known = {one.item_id for one in arena.duels}
    before = {one.item_id: one for one in latest_ratings(arena.ratings()) if one.rater == name}
    found = [Rating(item_id, name, value) for item_id, value in rows if item_id in known]
    other = [one for one in found if before.get(one.item_id) != one]
    with MetricsLog(arena.ratings_path) as log:
        for one in other:
            log.write(one.to_record())
    n_changed = sum(one.item_id in before for one in other)
    return Imported(
        name,
        n_new=len(other) - n_changed,
        n_changed=n_changed,
        n_same=len(found) - len(other),
        n_unknown=len(rows) - len(found),
    )


def _checked_rows(stored: Any, path: Path, arena: ArenaDirectory) -> Sequence[tuple[str, int]]:
    if not isinstance(stored, dict) or stored.get("format") != FORMAT:
        raise UserError(f"{path} holds no ratings; download them from the page that --page writes")
    if stored.get("page") != arena.page_id:
        raise UserError(f"{path} was saved by the page of another comparison, not of {arena.path}")
    rows = stored.get("ratings")
    if not isinstance(rows, list):
        raise UserError(f"{path} is damaged: ratings is no list; download it again")
    found: dict[str, int] = {}
    for number, row in enumerate(rows, 1):
        where = f"{path}, rating {number}"
        if not isinstance(row, dict) or not isinstance(row.get("item"), str):
            raise UserError(f"{where}: names no item; download the file again")
        if not is_rating(row.get("rating")):
            raise UserError(f"{where}: {row.get('rating')!r:.40} is not 1 to 7; mend the file")
        if row["item"] in found:
            raise UserError(f"{where}: {row['item']!r:.60} is rated twice; mend the file")
        found[row["item"]] = row["rating"]
    return list(found.items())


def _rater(stored: dict[str, Any], path: Path) -> str:
    name = stored.get("rater", "")
    if not isinstance(name, str) or len(name) > MAX_NAME_CHARS:
        raise UserError(f"{path}: rater is no name of at most {MAX_NAME_CHARS} characters")
    return unicode_text(name).strip()
