"""How large a regular expression is once its counted repetitions are written out.

In: a pattern in Rust's syntax. Out: its size in single-character steps, or a UserError where that is
beyond use. Never: full parsing, which llguidance does; what cannot be read here is left to it.
`(a{1000}){1000}{1000}` has 21 characters, and its shortest match a thousand million.
"""

from __future__ import annotations

import re
from dataclasses import dataclass

from herd.foundation import UserError, format_count

MAX_SIZE = 200_000
CEILING = 10**12  # beyond it sizes are all alike, so that counting stays cheap
# Each looks ahead a bounded way, or a pattern of a hundred thousand beginnings would take hours.
COUNTED = re.compile(r"\{\s{0,9}(\d{1,9})\s{0,9}(?:(,)\s{0,9}(\d{1,9})?\s{0,9})?\}")
ESCAPE = re.compile(r"\\(?:[pPxuU]\{[^}]{0,99}\}|.)", re.DOTALL)
GROUP_HEAD = re.compile(r"\?(?:P?<[^>]{0,99}>|[a-zA-Z-]{0,99}:)?")


@dataclass(slots=True)
class _Level:
    """What stands in one pair of brackets: the size so far, and that of its last atom."""

    total: int = 0
    atom: int = 0

    def add(self, size: int) -> None:
        self.total += size
        self.atom = size

    def repeat(self, times: int) -> None:
        self.total = min(self.total + self.atom * (times - 1), CEILING)
        self.atom = min(self.atom * times, CEILING)


def check_size(pattern: str, what: str) -> None:
    """Raise UserError if `pattern`, called `what` in the message, is too large when written out."""
    size = expanded_size(pattern)
    if size > MAX_SIZE:
        raise UserError(
            f"{what} is too complex: its repetitions written out have {format_count(size)} steps, "
            f"at most {format_count(MAX_SIZE)} are accepted; make the counts smaller"
        )


def expanded_size(pattern: str) -> int:
    """Return how many single-character steps `pattern` has when `a{3}` is written as `aaa`."""
    levels = [_Level()]
    at = 0
    while at < len(pattern):
        here = levels[-1]
        char = pattern[at]
        if char == "(":
            levels.append(_Level())
            head = GROUP_HEAD.match(pattern, at + 1)
            at = head.end() if head else at + 1
        elif char == ")" and len(levels) > 1:
            levels.pop()
            levels[-1].add(here.total)
            at += 1
        elif counted := COUNTED.match(pattern, at):
            least, comma, most = counted.groups()
            here.repeat(int(most or least) + bool(comma and not most))
            at = counted.end()
        else:
            at = _past_character(pattern, at)
            if char not in "*+?":  # these repeat the last atom without writing it out
                here.add(char not in "|^$")
    return sum(level.total for level in levels)


def _past_character(pattern: str, at: int) -> int:
    if pattern[at] == "[":
        return _past_class(pattern, at)
    escape = ESCAPE.match(pattern, at)
    return escape.end() if escape else at + 1


def _past_class(pattern: str, at: int) -> int:
    """The end of a class in square brackets; Rust's may hold others. Unclosed, it is the rest, which
    llguidance refuses.
    """
    depth = 0
    end = at
    while end < len(pattern):
        if escape := ESCAPE.match(pattern, end):
            end = escape.end()
            continue
        opens = pattern[end] == "["
        depth += opens - (pattern[end] == "]" and not _is_literal(pattern, end))
        end += 1
        if depth == 0:
            return end
    return len(pattern)


def _is_literal(pattern: str, at: int) -> bool:
    """Whether a closing bracket is the first of its class, and so a character of it."""
    return pattern[at - 1] == "[" or pattern[at - 2 : at] == "[^"
