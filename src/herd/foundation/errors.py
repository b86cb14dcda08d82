"""The one exception that means: the user can mend this.

In: a single line saying what is wrong, where, and what to do.
Out: a ValueError for callers in Python; `herd: ...` and exit code 2 on the command line.
Never: a programmer's mistake, which stays an assertion or whatever Python raises.
"""


class UserError(ValueError):
    """A mistake in input, settings or surroundings that the user can mend."""


def missing_library(purpose: str, library: str, extra: str) -> UserError:
    """Return the error that says what a missing optional library is for and how to get it."""
    return UserError(
        f"{purpose} needs {library}: pip install 'llama-herd[{extra}]', or '.[{extra}]' in a clone of Herd"
    )
