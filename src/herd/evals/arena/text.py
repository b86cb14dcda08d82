"""Answers of models as text that can be kept and shown: nothing in them moves a cursor or hides.

In: text of strangers. Out: valid Unicode; text fit to show, shortened where it is long. Never: markup.
"""

import re

SHOWN_CHARS, SHOWN_LINES = 6_000, 120
REPLACEMENT = "\N{REPLACEMENT CHARACTER}"
SURROGATES = re.compile("[\ud800-\udfff]")
# Control characters but tab and newline, and what turns the direction of all text behind it.
UNSAFE = re.compile("[\x00-\x08\x0b-\x1f\x7f-\x9f\u202a-\u202e\u2066-\u2069\ud800-\udfff]")


def unicode_text(value: object) -> str:
    """Return a text without lone surrogates, which JSON may hold and no file. Raises TypeError."""
    if not isinstance(value, str):
        raise TypeError(f"{value!r:.60} is no text")
    return SURROGATES.sub(REPLACEMENT, value)


def harmless(text: str) -> str:
    """Return the text with control characters replaced, lines ended by newlines alone."""
    return UNSAFE.sub(REPLACEMENT, text.replace("\r\n", "\n"))


def shortened(text: str, max_chars: int = SHOWN_CHARS, max_lines: int = SHOWN_LINES) -> str:
    """Return the beginning of a text: so many characters and lines at most."""
    lines = text[:max_chars].split("\n")
    return "\n".join(lines[:max_lines])
