"""Take Project Gutenberg's own words off a book: header, small print, licence, notices inside.

Forms seen since 1991: '*** START OF THE PROJECT GUTENBERG EBOOK ... ***' with its END; '*END*THE SMALL
PRINT! FOR PUBLIC DOMAIN E*TEXTS*Ver.04.29.93*END*' and its variants closing an older header; 'End of
the Project Gutenberg Etext of ...'; World Library's notice between the acts of its Shakespeare.
In: a text. Out: the book, and which forms were found. Never: a cut on the name alone, in running text.
"""

import re

FLAGS = re.IGNORECASE | re.MULTILINE
# A header longer than this was not one; a footer may be longer (the licence has 19,000 characters).
MAX_HEADER_CHARS = 40_000

_START = re.compile(
    r"^[ \t]*\*{3}[ \t]*START OF (?:THE|THIS) PROJECT GUTENBERG E-?(?:BOOK|TEXT)\b[^\n]*"
    r"(?:\n[^\n*]+){0,2}?\*{3}[ \t]*$",
    FLAGS,
)
_SMALL_PRINT_END = re.compile(
    r"^[ \t]*\*+[ \t]*END[ \t]*\*?[ \t]*(?:OF[ \t]+)?THE SMALL PRINT![^\n]*(?:\n[^\n]+)?$", FLAGS
)
_END = re.compile(
    r"^[ \t]*\*{3}[ \t]*END OF (?:THE|THIS) PROJECT GUTENBERG E-?(?:BOOK|TEXT)\b", FLAGS
)
_END_PLAIN = re.compile(
    r"^[ \t*]*(?:This is the )?End of (?:the |this )?(?:Project )?Gutenberg(?:'s|’s)?"
    r"(?: (?:E-?text|E-?book)| [^\n]{1,80}, by )",
    FLAGS,
)
_START_SMALL_PRINT = re.compile(r"^[ \t]*\**[ \t]*START\*+THE SMALL PRINT!", FLAGS)
_WORLD_LIBRARY = re.compile(r"<<THIS ELECTRONIC VERSION OF THE COMPLETE WORKS[^>]{0,2000}>>", FLAGS)
_CREDIT = re.compile(
    r"\A\s*(?:(?:This )?E-?(?:text|book) (?:was )?(?:prepared|produced)|Produced|Prepared|Transcribed)"
    r" by [^\n]*(?:\n[^\n]+){0,6}(?:\n|\Z)",
    re.IGNORECASE,
)


def strip_licence(text: str) -> tuple[str, tuple[str, ...]]:
    """Return the text without Gutenberg's matter and the names of the forms found in it.

    A text without any of these forms is returned as it came.
    """
    found: list[str] = []
    text = _without_footer(text, found)
    text = _without_header(text, found)
    text, n_notices = _WORLD_LIBRARY.subn("", text)
    if n_notices:
        found.append("World Library notice")
    return (text.strip("\n") + "\n" if found and text.strip() else text), tuple(found)


def _without_header(text: str, found: list[str]) -> str:
    """Cut up to the last line that closes a header; old files put the licence at the start."""
    closings = {"header": _START, "small print": _SMALL_PRINT_END}
    cut = 0
    for name, pattern in closings.items():
        for match in pattern.finditer(text, 0, MAX_HEADER_CHARS):
            cut = max(cut, match.end())
            found.append(name)
    if cut == 0:
        return text
    text = text[cut:]
    credit = _CREDIT.match(text)
    return text[credit.end() :] if credit else text


def _without_footer(text: str, found: list[str]) -> str:
    """Cut from the first line of the second half that opens the closing matter."""
    half = len(text) // 2
    opened = _START.search(text, 0, MAX_HEADER_CHARS)
    first_possible = max(opened.end() if opened else 0, 0)
    cuts = []
    if (match := _END.search(text, first_possible)) is not None:
        cuts.append(match.start())
    # The plain forms are weaker evidence, and old headers quote them: only near the end.
    for pattern in (_END_PLAIN, _START_SMALL_PRINT):
        if (match := pattern.search(text, max(half, first_possible))) is not None:
            cuts.append(match.start())
    if not cuts:
        return text
    found.append("footer")
    return text[: min(cuts)]
