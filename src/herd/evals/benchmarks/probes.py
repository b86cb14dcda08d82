"""Probes that need no files: facts any model should know, sums, and recall of what was just read.

For a first look at any model, offline and in seconds. They are Herd's own and stand in no other table.
In: nothing. Out: questions with four answers each, the same every time. Never: a benchmark in their place.
"""

from __future__ import annotations

import random
from collections.abc import Sequence
from functools import partial
from typing import Any

from herd.evals.benchmarks.benchmark import ACCURACY, CHOICE_OF_ROW, Benchmark, Splits
from herd.evals.benchmarks.data_folder import DataFolder, Doc

N_SUMS, N_RECALLED, N_CHOICES = 100, 60, 4
FACTS: dict[str, dict[str, str]] = {
    "The capital of {} is": {
        "France": "Paris", "Germany": "Berlin", "Italy": "Rome", "Spain": "Madrid",
        "Portugal": "Lisbon", "Japan": "Tokyo", "China": "Beijing", "Russia": "Moscow",
        "Egypt": "Cairo", "Greece": "Athens", "Norway": "Oslo", "Sweden": "Stockholm",
        "Austria": "Vienna", "Poland": "Warsaw", "Ireland": "Dublin", "Cuba": "Havana",
        "Peru": "Lima", "Kenya": "Nairobi", "Thailand": "Bangkok", "Canada": "Ottawa",
    },
    "The opposite of {} is": {
        "hot": "cold", "big": "small", "up": "down", "day": "night", "young": "old",
        "wet": "dry", "fast": "slow", "rich": "poor", "open": "closed", "early": "late",
        "heavy": "light", "full": "empty", "loud": "quiet", "sweet": "bitter", "near": "far",
    },
    "The young of a {} is called a": {
        "dog": "puppy", "cat": "kitten", "cow": "calf", "sheep": "lamb", "horse": "foal",
        "lion": "cub", "frog": "tadpole", "goose": "gosling", "pig": "piglet", "deer": "fawn",
    },
    "The day after {} is": {
        "Monday": "Tuesday", "Tuesday": "Wednesday", "Wednesday": "Thursday",
        "Thursday": "Friday", "Friday": "Saturday", "Saturday": "Sunday", "Sunday": "Monday",
    },
    "The chemical symbol for {} is": {
        "gold": "Au", "silver": "Ag", "iron": "Fe", "oxygen": "O", "hydrogen": "H",
        "carbon": "C", "sodium": "Na", "copper": "Cu", "lead": "Pb", "helium": "He",
    },
    "The plural of {} is": {
        "child": "children", "mouse": "mice", "foot": "feet", "tooth": "teeth", "man": "men",
        "goose": "geese", "ox": "oxen", "leaf": "leaves", "person": "people", "knife": "knives",
    },
    "A person who {} is called a": {
        "bakes bread": "baker", "flies planes": "pilot", "heals animals": "vet",
        "catches fish": "fisherman", "writes books": "writer", "paints pictures": "painter",
        "puts out fires": "firefighter", "pulls teeth": "dentist", "grows crops": "farmer",
        "mends pipes": "plumber",
    },
}  # fmt: skip
NAMES = ("Anna", "Boris", "Chen", "Dalia", "Emil", "Farah", "Goran", "Hana", "Ivan", "Julia")
THINGS = ("key", "lamp", "coat", "drum", "boat", "clock", "kite", "vase", "spoon", "map")


def facts() -> list[Doc]:
    """Return the facts; wrong answers are right ones of the same kind."""
    docs = []
    for kind, (text, pairs) in enumerate(FACTS.items()):
        for number, (subject, answer) in enumerate(pairs.items()):
            others = sorted(set(pairs.values()) - {answer})
            docs.append(_question(text.format(subject), answer, others, 100 * kind + number))
    return docs


def sums() -> list[Doc]:
    """Return additions and subtractions of numbers below 100; wrong answers lie near."""
    draw, docs = random.Random(0), []
    for number in range(N_SUMS):
        first, second = draw.randint(11, 99), draw.randint(2, 50)
        is_sum = number % 2 == 0 or second > first
        right = first + second if is_sum else first - second
        others = sorted({right + step for step in (-10, -2, -1, 1, 2, 10)} - {right})
        text = f"{first} {'plus' if is_sum else 'minus'} {second} is"
        docs.append(_question(text, str(right), [str(one) for one in others if one >= 0], number))
    return docs


def recalled() -> list[Doc]:
    """Return short lists of who has what; the question asks for one of them."""
    draw, docs = random.Random(1), []
    for number in range(N_RECALLED):
        names, things = draw.sample(NAMES, 6), draw.sample(THINGS, 6)
        told = " ".join(f"{a} has the {b}." for a, b in zip(names, things, strict=True))
        at = draw.randrange(6)
        others = [thing for thing in things if thing != things[at]]
        docs.append(_question(f"{told} So {names[at]} has the", things[at], others, number))
    return docs


def _question(text: str, answer: str, others: Sequence[str], seed: int) -> Doc:
    draw = random.Random(seed)
    choices = [answer, *draw.sample(list(others), N_CHOICES - 1)]
    draw.shuffle(choices)
    return {"query": text, "choices": choices, "gold": choices.index(answer)}


def _read(make: Any, data: DataFolder) -> Splits:
    return {"test": make()}


PROBES: tuple[Benchmark, ...] = tuple(
    Benchmark(
        name=f"probe_{name}",
        read=partial(_read, make),
        metric="acc",
        overrides={**CHOICE_OF_ROW, "metric_list": list(ACCURACY)},
        chance=1 / N_CHOICES,
        group="probes",
        needs_data=False,
        about=about,
    )
    for name, make, about in (
        ("facts", facts, "capitals, opposites, plurals and the like"),
        ("sums", sums, "additions and subtractions below 100"),
        ("recall", recalled, "who has what, of six just named"),
    )
)
