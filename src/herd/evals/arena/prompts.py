"""The prompts of a comparison, and answers that were given elsewhere, out of JSONL files.

In: paths. Out: prompts and answers by id, and what was left out. Never: an answer without its prompt's id.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from itertools import islice
from pathlib import Path

from herd.evals.arena.duel import Messages
from herd.evals.arena.rows import MalformedRowError, Row, id_of, messages_of, read_rows, text_of


@dataclass(frozen=True, slots=True)
class Prompt:
    """What is asked: messages of which the last awaits its answer."""

    messages: Messages
    category: str = ""
    n_turns: int = 1


@dataclass(frozen=True, slots=True)
class GivenAnswer:
    """An answer out of a file, with its prompt where the file has it."""

    answer: str
    prompt: Prompt | None


def read_prompts(path: Path, limit: int | None = None) -> tuple[dict[str, Prompt], list[str]]:
    """Return the first `limit` prompts of a file by id, and notes.

    A row has `prompt`, `turns` (the first is asked) or `messages`, perhaps `id` (or `question_id`; else
    its line is its id) and `category`. Raises UserError when there is none.
    """
    rows = read_rows(path, _prompt_row)
    chosen = dict(islice(rows.by_id.items(), limit))
    notes = rows.notes()
    n_longer = sum(one.n_turns > 1 for one in chosen.values())
    if n_longer:
        notes.append(f"{n_longer:,} prompts have more turns; only the first is asked")
    return chosen, notes


def read_answers(path: Path) -> tuple[Mapping[str, GivenAnswer], list[str]]:
    """Return the answers of a file by id, and notes.

    A row has `id`, `answer`, and `prompt` or `messages` unless a file of prompts has them. Raises
    UserError when there is no good row.
    """
    rows = read_rows(path, _answer_row)
    return rows.by_id, rows.notes()


def _prompt_row(row: Row, line: int) -> tuple[str, Prompt]:
    found = _prompt(row)
    if found is None:
        raise MalformedRowError("no prompt: give prompt, turns or messages")
    return id_of(row, default=str(line)), found


def _answer_row(row: Row, line: int) -> tuple[str, GivenAnswer]:
    return id_of(row), GivenAnswer(text_of(row, "answer"), _prompt(row))


def _prompt(row: Row) -> Prompt | None:
    messages = messages_of(row)
    if messages is None:
        return None
    category = row.get("category")
    is_named = isinstance(category, str | int) and not isinstance(category, bool)
    n_turns = len(row["turns"]) if "messages" not in row and "turns" in row else 1
    name = text_of({"category": str(category)}, "category") if is_named else ""
    return Prompt(messages, name, n_turns)
