"""How well a short answer matches a reference: exact match and F1 over words (SQuAD).

In: an answer, references. Out: the better of the references' scores. Never: punctuation, articles or case
held against an answer.
"""

from __future__ import annotations

import re
import string
from collections import Counter
from collections.abc import Sequence

ARTICLES = re.compile(r"\b(a|an|the)\b")
PUNCTUATION = str.maketrans("", "", string.punctuation)


def plain_words(text: str) -> list[str]:
    """Return lower-case words without punctuation and English articles."""
    return ARTICLES.sub(" ", text.lower().translate(PUNCTUATION)).split()


def exact_match(answer: str, references: Sequence[str]) -> float:
    """Return 1 if the answer's words are a reference's, else 0."""
    words = plain_words(answer)
    return float(any(words == plain_words(one) for one in references))


def word_f1(answer: str, references: Sequence[str]) -> float:
    """Return the harmonic mean of precision and recall of words, against the best reference."""
    return max((_f1(plain_words(answer), plain_words(one)) for one in references), default=0.0)


def _f1(found: list[str], wanted: list[str]) -> float:
    if not found or not wanted:
        return float(found == wanted)
    n_common = sum((Counter(found) & Counter(wanted)).values())
    return 2 * n_common / (len(found) + len(wanted))
