"""The directory of a comparison: duels with their un-blinding, ratings, verdicts, pages.

`duels.json`, `ratings.jsonl`, `verdicts.jsonl`, `rate.html`, `report.html`, `answers/`.
In: sides and prompts. Out: the same duels at every later call, without asking a model again.
Never: two comparisons in one directory; a file half-written.
"""

import hashlib
import json
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from herd.evals.arena.append_log import read_log
from herd.evals.arena.duel import Duel
from herd.evals.arena.pairing import Side, make_duels, prompts_source
from herd.evals.arena.rating import Rating, rating_of
from herd.evals.arena.verdict import Verdict, verdict_of
from herd.foundation import UserError, read_json, write_json

FORMAT = 1
DUELS = "duels.json"
WORDS = {"first": "first side", "second": "second side", "prompts": "file of prompts"}


@dataclass(frozen=True, slots=True)
class ArenaDirectory:
    """A comparison that is there: the two models' names, the duels, what a reader should know."""

    path: Path
    names: tuple[str, str]
    duels: tuple[Duel, ...]
    notes: tuple[str, ...]

    @property
    def ratings_path(self) -> Path:
        """What people said."""
        return self.path / "ratings.jsonl"

    @property
    def verdicts_path(self) -> Path:
        """What judges said."""
        return self.path / "verdicts.jsonl"

    @property
    def page_id(self) -> str:
        """What tells this comparison's page from another's; it says nothing about the models."""
        shown = [[one.item_id, one.messages, one.shown()] for one in self.duels]
        return hashlib.sha256(json.dumps(shown).encode()).hexdigest()[:16]

    def ratings(self) -> list[Rating]:
        """Return what people said so far. Raises UserError for a damaged log."""
        return read_log(self.ratings_path, rating_of)

    def verdicts(self) -> list[Verdict]:
        """Return what judges said so far. Raises UserError for a damaged log."""
        return read_log(self.verdicts_path, verdict_of)


def open_arena(
    path: Path | str,
    sides: tuple[Side, Side],
    prompts: Path | None = None,
    *,
    seed: int | None = None,
    limit: int | None = None,
) -> ArenaDirectory:
    """Return the comparison in a directory; made now, asking the sides, unless it is there.

    `prompts`, `seed` and `limit` may be left out where it is there. Raises UserError where another
    comparison is, or where nothing can be compared.
    """
    path = Path(path)
    if path.exists() and not path.is_dir():
        raise UserError(f"{path} is no directory; name one for the comparison with --out")
    here: dict[str, Any] = {
        "first": dict(sides[0].source),
        "second": dict(sides[1].source),
        "prompts": None if prompts is None else prompts_source(prompts),
        "seed": seed,
        "limit": limit,
    }
    place = path / DUELS
    if place.exists():
        stored = read_json(place)
        arena = _stored_arena(path, stored)
        _refuse_another(path, stored["source"], here)
        return arena
    duels, notes = make_duels(sides, prompts, seed=seed or 0, limit=limit)
    names = sides[0].name, sides[1].name
    arena = ArenaDirectory(path, names, tuple(duels), tuple(notes))
    write_json(place, _to_json(arena, here | {"seed": seed or 0}))
    return arena


def read_arena(path: Path | str) -> ArenaDirectory:
    """Return the comparison in a directory. Raises UserError when there is none, or it is damaged."""
    return _stored_arena(Path(path), read_json(Path(path) / DUELS))


def _to_json(arena: ArenaDirectory, source: Mapping[str, Any]) -> dict[str, Any]:
    rows = [
        {
            "id": one.item_id,
            "category": one.category,
            "left": one.left,
            "messages": one.messages,
            "answers": one.answers,
        }
        for one in arena.duels
    ]
    return {
        "format": FORMAT,
        "models": arena.names,
        "page": arena.page_id,
        "source": source,
        "notes": arena.notes,
        "duels": rows,
    }


def _stored_arena(path: Path, stored: Any) -> ArenaDirectory:
    try:
        if stored["format"] != FORMAT:
            raise ValueError(f"its format is {stored['format']!r:.40}, not {FORMAT}")
        first, second = stored["models"]
        duels = tuple(_duel(row) for row in stored["duels"])
        if not isinstance(stored["source"], dict) or not duels:
            raise ValueError("it holds no duels")
        if len({one.item_id for one in duels}) < len(duels):
            raise ValueError("two of its duels have the same id")
        _check_texts(first, second, *stored["notes"])
        return ArenaDirectory(path, (first, second), duels, tuple(stored["notes"]))
    except (KeyError, TypeError, ValueError, AttributeError) as error:
        raise UserError(
            f"{path / DUELS} is no comparison of Herd's ({error}); choose another --out, or remove it"
        ) from error


def _duel(row: Mapping[str, Any]) -> Duel:
    first, second = row["answers"]
    if row["left"] not in (0, 1) or not isinstance(row["left"], int) or not row["messages"]:
        raise ValueError("left is neither 0 nor 1, or a duel has no messages")
    _check_texts(row["id"], first, second, row["category"])
    _check_texts(*(m[field] for m in row["messages"] for field in ("role", "content")))
    messages = tuple({"role": m["role"], "content": m["content"]} for m in row["messages"])
    return Duel(row["id"], messages, (first, second), row["category"], row["left"])


def _check_texts(*values: object) -> None:
    for value in values:
        if not isinstance(value, str):
            raise ValueError(f"{value!r:.40} stands where a text should")


def _refuse_another(path: Path, there: Mapping[str, Any], here: Mapping[str, Any]) -> None:
    for name, value in here.items():
        if value is None or _identity(name, there.get(name)) == _identity(name, value):
            continue
        raise UserError(
            f"{path} holds another comparison: its {WORDS.get(name, name)} is "
            f"{_said(there.get(name))}, not {_said(value)}; choose another --out"
        )


def _identity(name: str, value: Any) -> Any:
    return value["sha256"] if name == "prompts" and isinstance(value, dict) else value


def _said(value: Any) -> str:
    if not isinstance(value, dict):
        return str(value)
    details = [f"{k} {str(v)[:8]}" for k, v in value.items() if k != "name"]
    return f"{value['name']} ({', '.join(details)})" if details else str(value["name"])
