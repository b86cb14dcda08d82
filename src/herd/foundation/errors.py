"""The one exception that means: the user can mend this.

In: a single line saying what is wrong, where, and what to do.
Out: a ValueError for callers in Python; `herd: ...` and exit code 2 on the command line.
Never: a programmer's mistake, which stays an assertion or whatever Python raises.
"""


class UserError(ValueError):
    """A mistake in input, settings or surroundings that the user can mend."""
