"""Labels from a teacher, a language model that is asked about each document, for a small encoder to learn.

In: documents, a function from prompts to answers (the engine's, handed in). Out: labelled documents, and how
often the teacher said neither. Never: an answer that was not given counted for one.
"""

import itertools
from collections.abc import Callable, Iterable
from dataclasses import dataclass

from herd.data.classify.teacher_prompt import QUALITY, parse_answer, teacher_prompt
from herd.data.document import Document
from herd.foundation import UserError, progress_bar

GOOD, BAD = "good", "bad"
Teacher = Callable[[list[str]], list[str]]  # prompts to answers
ASKED_AT_ONCE = 64


@dataclass(frozen=True, slots=True)
class TaughtTexts:
    """Documents with the labels good and bad, and how many answers could not be read."""

    labelled: list[tuple[Document, str]]
    n_unread: int


def ask_teacher(
    documents: Iterable[Document], teacher: Teacher, requirement: str = QUALITY
) -> TaughtTexts:
    """Ask about every document; leave those out whose answer is neither yes nor no.

    Raises UserError when more answers could not be read than could: the teacher does not do as asked.
    """
    labelled: list[tuple[Document, str]] = []
    n_unread = 0
    with progress_bar("asking the teacher", None, unit="documents") as progress:
        waiting = iter(documents)
        while batch := list(itertools.islice(waiting, ASKED_AT_ONCE)):
            answers = teacher([teacher_prompt(one.text, requirement) for one in batch])
            for document, answer in zip(batch, map(parse_answer, answers), strict=True):
                if answer is None:
                    n_unread += 1
                else:
                    labelled.append((document, GOOD if answer else BAD))
            progress.advance(len(batch), unread=n_unread)
    if n_unread > len(labelled):
        raise UserError(
            f"the teacher answered neither yes nor no {n_unread} times of {n_unread + len(labelled)}; "
            "use a model that follows instructions"
        )
    said = {label for _, label in labelled}
    if len(said) == 1:
        raise UserError(
            f"the teacher called all {len(labelled)} texts {said.pop()}: use a larger model, a stricter "
            "requirement, or more varied texts"
        )
    return TaughtTexts(labelled, n_unread)
