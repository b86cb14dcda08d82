"""A question of multiple choice, free of any prompt.

In: documents of benchmarks. Out: `Question`s. Never: a benchmark whose choices are no texts of their own.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from herd.evals.benchmarks.catalogue import choose
from herd.evals.benchmarks.data_folder import DataFolder
from herd.foundation import UserError

BARE_LABELS = ("A", "B", "C", "D")  # the answers themselves stand in the question then
N_EXAMPLES = 4  # Llama 3, section 5.1.2: 4-shot


@dataclass(frozen=True, slots=True)
class Question:
    """A text, four answers, which of them is right, and the examples that belong before it."""

    text: str
    choices: tuple[str, ...]
    gold: int
    examples: tuple[Question, ...] = ()


def questions_of(names: list[str], data: Path | None, limit: int) -> list[Question]:
    """Return `limit` questions, evenly from all tasks named, each with four examples.

    Examples are the training split's, or the first four questions. Raises UserError for a benchmark that
    does not ask for one of four texts.
    """
    if not names:
        raise UserError("no task was chosen; name one with four answers, such as mmlu")
    pools = []
    for chosen in choose(names):
        splits = chosen.benchmark.read(DataFolder(data))
        asked = [_question(doc) for doc in splits["test"]]
        shown = [_question(doc) for doc in splits.get("train", ())]
        pool = [one for one in asked if one is not None]
        examples = [one for one in shown if one is not None]
        if not examples:
            examples, pool = pool[:N_EXAMPLES], pool[N_EXAMPLES:]
        if not pool or len(examples) < N_EXAMPLES:
            raise UserError(
                f"{chosen.benchmark.name}: no questions with four answers to choose from"
            )
        pools.append([_with(one, examples[:N_EXAMPLES]) for one in pool])
    return _evenly(pools, limit)


def _question(doc: Mapping[str, Any]) -> Question | None:
    """Read MMLU's, ARC's and the plain layout; None for a question of other than four answers."""
    found = None
    if "question" in doc and isinstance(doc.get("choices"), Mapping):
        labels = list(doc["choices"]["label"])
        found = doc["question"], doc["choices"]["text"], labels.index(doc["answerKey"])
    elif "question" in doc and "choices" in doc:
        found = doc["question"], doc["choices"], doc["answer"]
    elif "query" in doc and "gold" in doc:
        found = doc["query"], doc["choices"], doc["gold"]
    elif "query" in doc and "label" in doc:
        found = doc["query"], doc["choices"], doc["label"]
    if found is None or len(found[1]) != 4 or tuple(found[1]) == BARE_LABELS:
        return None
    return Question(str(found[0]).strip(), tuple(str(one) for one in found[1]), int(found[2]))


def _with(question: Question, examples: list[Question]) -> Question:
    return Question(question.text, question.choices, question.gold, tuple(examples))


def _evenly(pools: list[list[Question]], limit: int) -> list[Question]:
    """The first question of each pool, then the second, and so on."""
    longest = max(len(pool) for pool in pools)
    mixed = [pool[i] for i in range(longest) for pool in pools if i < len(pool)]
    return mixed[:limit]
