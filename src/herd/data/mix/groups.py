"""Into which group of the mix a document falls: by source, language, topic or the paper's four kinds.

In: a document with its labels. Out: the name of a group.
"""

from typing import Literal, get_args

from herd.data.document import Document

Grouping = Literal["source", "language", "topic", "knowledge"]
GROUPINGS: tuple[Grouping, ...] = get_args(Grouping)
UNKNOWN = "unknown"
MAX_GROUP_CHARS = 200
REASONING_TOPICS = frozenset({"reasoning", "mathematics", "math"})
MIN_SCORE = 0.5  # from which a detector's score counts


def group_of(document: Document, by: Grouping) -> str:
    """Return the group of a document; `unknown` without the label asked for."""
    if by == "knowledge":
        return knowledge_of(document)
    if by == "source":
        return document.source[:MAX_GROUP_CHARS] or UNKNOWN
    label = document.language if by == "language" else document.meta.get("topic", "")
    return label[:MAX_GROUP_CHARS] or UNKNOWN


def knowledge_of(document: Document) -> str:
    """Return which of the paper's four kinds a document is: its scores come from the detectors."""
    topic = document.meta.get("topic", "").lower()
    if document.kind == "code" or topic == "code" or _score(document, "code") >= MIN_SCORE:
        return "code"
    if topic in REASONING_TOPICS or _score(document, "reasoning") >= MIN_SCORE:
        return "reasoning"
    if document.language not in ("", "en"):
        return "multilingual"
    return "general"


def _score(document: Document, name: str) -> float:
    try:
        return float(document.meta.get(name, "0"))
    except ValueError:
        return 0.0
