"""Whether a written solution ends in the right number or formula.

math-verify reads LaTeX, sets, intervals and plain numbers, and compares them by value.
In: a solution, the right answer. Out: a verdict. Never: a hang, on the main thread;
on another it has no clock, and a tower of powers may take it minutes.
"""

from __future__ import annotations

import threading

MOST_CHARS = 6_000  # the answer stands at a solution's end
TIMEOUT_S = 5


def same_answer(solution: str, gold: str) -> bool:
    """Return whether the last answer found in `solution` equals `gold`, which may be LaTeX.

    What cannot be read is wrong.
    """
    from math_verify import parse, verify

    # Its clock is a signal, which only the main thread can have; evaluations run there.
    timeout = TIMEOUT_S if threading.current_thread() is threading.main_thread() else None
    found = parse(solution[-MOST_CHARS:], parsing_timeout=timeout)
    for wanted in (gold, f"${gold}$"):
        right = parse(wanted[:MOST_CHARS], parsing_timeout=timeout)
        if right and found and verify(right, found, timeout_seconds=timeout):
            return True
    return False
