"""The ways in which one question can be put: labels, order, labels of the examples, wording.

Llama 3, section 5.1.2, on MMLU: the symbols that stand for the answers, their order, which labels the
examples' right answers have, and five wordings. Each variant changes one of the four from the plain form.
In: a question. Out: its prompt, and the labels to choose among. Never: two changes at once.
"""

from __future__ import annotations

from dataclasses import dataclass, replace

from herd.evals.robustness.question import Question


@dataclass(frozen=True, kw_only=True, slots=True)
class Variant:
    """How a question is put. `order[i]` says which answer stands in place i.

    `example_labels` are the places at which the examples' right answers stand.
    """

    axis: str
    name: str
    labels: tuple[str, ...] = ("A", "B", "C", "D")
    mark: str = "."
    order: tuple[int, ...] = (0, 1, 2, 3)
    example_labels: tuple[int, ...] = (0, 1, 2, 3)
    opening: str = ""
    question: str = "{text}"
    asking: str = "Answer:"


PLAIN = Variant(axis="plain", name="A. B. C. D.")
LABELS = tuple(
    replace(PLAIN, axis="labels", name=name, labels=labels, mark=mark)
    for name, labels, mark in (
        ("A. B. C. D.", ("A", "B", "C", "D"), "."),
        ("A) B) C) D)", ("A", "B", "C", "D"), ")"),
        ("1. 2. 3. 4.", ("1", "2", "3", "4"), "."),
        ("$ & # @", ("$", "&", "#", "@"), "."),
        ("œ § з ü", ("œ", "§", "з", "ü"), "."),
    )
)
EXAMPLE_LABELS = tuple(
    replace(PLAIN, axis="labels of the examples", name=name, example_labels=places)
    for name, places in (
        ("ABCD", (0, 1, 2, 3)),
        ("AABB", (0, 0, 1, 1)),
        ("CCDD", (2, 2, 3, 3)),
        ("AAAA", (0, 0, 0, 0)),
        ("BBBB", (1, 1, 1, 1)),
        ("CCCC", (2, 2, 2, 2)),
        ("DDDD", (3, 3, 3, 3)),
    )
)
ORDERS = tuple(
    replace(
        PLAIN, axis="order of the answers", name="".join(str(i + 1) for i in order), order=order
    )
    for order in ((0, 1, 2, 3), (1, 2, 3, 0), (2, 3, 0, 1), (3, 0, 1, 2), (3, 2, 1, 0))
)
WORDINGS = tuple(
    replace(PLAIN, axis="wording", name=name, opening=opening, question=question, asking=asking)
    for name, opening, question, asking in (
        ("bare", "", "{text}", "Answer:"),
        ("named", "", "Question: {text}", "Answer:"),
        ("short", "The following are multiple choice questions (with answers).\n\n", "{text}", "Answer:"),
        (
            "told",
            "Choose the right answer to each question. Give only its letter.\n\n",
            "Question: {text}",
            "The right answer is",
        ),
        (
            "long",
            "You are taking an examination. Every question has four answers, exactly one of which is "
            "right. Read the question and all answers with care before you decide.\n\n",
            "Question: {text}\nWhich of these is right?",
            "Answer:",
        ),
    )
)  # fmt: skip
VARIANTS: tuple[Variant, ...] = (*LABELS, *EXAMPLE_LABELS, *ORDERS, *WORDINGS)


def prompt_of(question: Question, variant: Variant) -> str:
    """Return the examples and the question, up to where the label is to follow."""
    shown = [
        _put(example, variant, _moved(example, place)) + f" {variant.labels[place]}"
        for example, place in zip(question.examples, variant.example_labels, strict=False)
    ]
    return variant.opening + "\n\n".join([*shown, _put(question, variant, variant.order)])


def right_label(question: Question, variant: Variant) -> int:
    """Return at which place the right answer stands."""
    return variant.order.index(question.gold)


def _put(question: Question, variant: Variant, order: tuple[int, ...]) -> str:
    lines = [variant.question.format(text=question.text)]
    for label, which in zip(variant.labels, order, strict=True):
        lines.append(f"{label}{variant.mark} {question.choices[which]}")
    return "\n".join([*lines, variant.asking])


def _moved(example: Question, place: int) -> tuple[int, ...]:
    """The order that puts an example's right answer at `place`, the others as they were."""
    others = [i for i in range(len(example.choices)) if i != example.gold]
    return (*others[:place], example.gold, *others[place:])
