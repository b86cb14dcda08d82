"""Lines of an article that are not its text: the headline again, when it was published, share buttons.

They stand at its beginning and end, and extractors keep them because they lie within it.
In: extracted text, the page's titles. Out: the text without such lines. Never: a line from its middle.
"""

import re
from collections.abc import Sequence

EDGE_LINES = 6
MAX_CHARS = 140
DATED = re.compile(
    r"(?i)^(first )?(published|updated|posted|last (updated|modified)|created)\b[^.!?]{0,80}\d"
)
BYLINE = re.compile(r"^(By|Written by|Photo(graph)?( by)?:?|Credit:?|Source:?) [^.!?]{2,60}$")
SHARING = re.compile(
    r"(?i)^(share( this( article| post| story)?)?|tweet|e-?mail|print|save|comments?|advertisement|"
    r"read (more|next|also)\b.{0,100}|related( articles| stories| posts)?:?.{0,100}|follow us\b.{0,60}|"
    r"sign up\b.{0,100}|subscribe\b.{0,100}|most (read|popular)|tags?:.{0,100}|image credits?:.{0,80}|"
    r"(©|copyright\b).{0,120}|all rights reserved.?)$"
)
WORDS = re.compile(r"\w+")


def without_furniture(text: str, titles: Sequence[str]) -> str:
    """Return a text without the lines at its edges that are not part of it."""
    lines = text.split("\n")
    known = {_words(title) for title in titles if title}
    head = [line for line in lines[:EDGE_LINES] if not _is_furniture(line, known)]
    middle = lines[EDGE_LINES:-EDGE_LINES] if len(lines) > 2 * EDGE_LINES else []
    rest = lines[max(len(lines) - EDGE_LINES, EDGE_LINES) :]
    tail = [line for line in rest if not _is_furniture(line, known)]
    return "\n".join([*head, *middle, *tail]).strip("\n")


def _is_furniture(line: str, titles: set[tuple[str, ...]]) -> bool:
    shown = line.strip().lstrip("-• ")
    if not shown or len(shown) > MAX_CHARS:
        return False
    if _words(shown) in titles:
        return True
    return any(pattern.match(shown) for pattern in (DATED, BYLINE, SHARING))


def _words(text: str) -> tuple[str, ...]:
    return tuple(WORDS.findall(text.lower()))
