"""Two sides and their prompts become duels.

A side is a file of answers or a function that answers: whoever calls has the model. In: sides, prompts,
a seed. Out: duels in the order of the prompts, and what found no partner. Never: answers to different
prompts set against each other.
"""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from herd.evals.arena.duel import Duel, Messages, draw_left
from herd.evals.arena.prompts import GivenAnswer, Prompt, read_answers, read_prompts
from herd.evals.arena.text import unicode_text
from herd.foundation import UserError, sha256_file

Answer = Callable[[list[Messages]], Sequence[str]]
ANSWER_FILES = (".jsonl", ".jsonl.gz", ".ndjson", ".ndjson.gz")


@dataclass(frozen=True, slots=True)
class Side:
    """One of two models: its answers in a file, or the function that gives them.

    `source` is what its answers depend on; whoever answers may add to `notes`.
    """

    name: str
    source: Mapping[str, Any]
    path: Path | None = None
    answer: Answer | None = None
    notes: list[str] = field(default_factory=list)


def is_answer_file(target: str) -> bool:
    """Return whether a name is that of a file of answers, not of a model."""
    return target.endswith(ANSWER_FILES)


def side_names(first: str, second: str) -> tuple[str, str]:
    """Return what two targets are called in a report. Raises UserError when they are the same."""
    if first == second:
        raise UserError(f"{first} against itself; name two models or files of answers")
    names = _short(first), _short(second)
    return names if names[0] != names[1] else (first, second)


def file_side(name: str, path: Path) -> Side:
    """Return the side whose answers are in a file. Raises UserError when it cannot be read."""
    return Side(name, {"name": name, "sha256": _digest(path)}, path=path)


def model_side(name: str, answer: Answer, settings: Mapping[str, Any]) -> Side:
    """Return the side that `answer` answers for; `settings` is what its answers depend on."""
    return Side(name, {"name": name, **settings}, answer=answer)


def prompts_source(path: Path) -> dict[str, str]:
    """Return what tells one file of prompts from another."""
    return {"name": path.name, "sha256": _digest(path)}


def make_duels(
    sides: tuple[Side, Side], prompts: Path | None, *, seed: int = 0, limit: int | None = None
) -> tuple[list[Duel], list[str]]:
    """Return the duels of two sides and what a reader should know of them.

    Without `prompts` they are those of a file of answers. Raises UserError when nothing can be paired.
    """
    if limit is not None and limit < 1:
        raise UserError(f"--limit is {limit}; give 1 or more")
    notes: list[str] = []
    given = [_given(side, notes) for side in sides]
    asked = _asked(prompts, given, limit, notes)
    chosen = [one for one in asked if all(own is None or one in own for own in given)]
    for side, own in zip(sides, given, strict=True):
        notes += _unmatched(side.name, asked, own) if own is not None else []
    if not chosen:
        raise UserError(
            f"no id is common to {sides[0].name}, {sides[1].name} and the prompts: {_examples(asked, given)}"
        )
    for side, own in zip(sides, given, strict=True):
        _check_prompts(side, own, asked, chosen)
    dialogs = [asked[one].messages for one in chosen]
    first, second = (
        _answers(side, own, chosen, dialogs) for side, own in zip(sides, given, strict=True)
    )
    names = sides[0].name, sides[1].name
    duels = [
        Duel(one, asked[one].messages, pair, asked[one].category, draw_left(seed, one, names))
        for one, *pair_ in zip(chosen, first, second, strict=True)
        for pair in [(pair_[0], pair_[1])]
    ]
    notes += [f"{side.name}: {note}" for side in sides for note in side.notes]
    return duels, notes


def _given(side: Side, notes: list[str]) -> Mapping[str, GivenAnswer] | None:
    if side.path is None:
        return None
    answers, found = read_answers(side.path)
    notes += found
    return answers


def _asked(
    path: Path | None,
    given: Sequence[Mapping[str, GivenAnswer] | None],
    limit: int | None,
    notes: list[str],
) -> dict[str, Prompt]:
    if path is not None:
        prompts, found = read_prompts(path, limit)
        notes += found
        return prompts
    known: dict[str, Prompt] = {}
    for own in given:
        for item_id, one in (own or {}).items():
            if one.prompt is not None:
                known.setdefault(item_id, one.prompt)
    if not known:
        raise UserError("there are no prompts: give a JSONL file of them with --prompts")
    # The first file's order; what only the second has comes last and is counted as unmatched.
    return dict(list(known.items())[:limit])


def _unmatched(name: str, asked: Mapping[str, Prompt], own: Mapping[str, GivenAnswer]) -> list[str]:
    missing, extra = (
        [one for one in asked if one not in own],
        [one for one in own if one not in asked],
    )
    notes = []
    if missing:
        notes.append(
            f"{name}: {len(missing):,} prompts without an answer, such as {missing[0]!r:.60}"
        )
    if extra:
        notes.append(f"{name}: {len(extra):,} answers without a prompt, such as {extra[0]!r:.60}")
    return notes


def _check_prompts(
    side: Side,
    own: Mapping[str, GivenAnswer] | None,
    asked: Mapping[str, Prompt],
    chosen: Sequence[str],
) -> None:
    for item_id in chosen if own is not None else ():
        prompt = own[item_id].prompt if own is not None else None
        if prompt is not None and prompt.messages != asked[item_id].messages:
            raise UserError(
                f"{side.path}: the prompt of id {item_id!r:.60} is another than elsewhere; "
                "answers to different prompts cannot be compared"
            )


def _answers(
    side: Side,
    own: Mapping[str, GivenAnswer] | None,
    chosen: Sequence[str],
    dialogs: list[Messages],
) -> list[str]:
    if own is not None:
        return [own[item_id].answer for item_id in chosen]
    assert side.answer is not None
    answers = [unicode_text(one) for one in side.answer(dialogs)]
    assert len(answers) == len(dialogs), "a side gives one answer a dialog"
    return answers


def _examples(
    asked: Mapping[str, Prompt], given: Sequence[Mapping[str, GivenAnswer] | None]
) -> str:
    firsts = [next(iter(own)) for own in (asked, *given) if own]
    return ", ".join(f"{one!r:.60}" for one in firsts) + " are their first"


def _short(target: str) -> str:
    for ending in ANSWER_FILES:
        if target.endswith(ending):
            return Path(target).name.removesuffix(ending) or target
    return target


def _digest(path: Path) -> str:
    try:
        return sha256_file(path)
    except OSError as error:
        raise UserError(f"cannot read {path}: {error.strerror or error}") from error
