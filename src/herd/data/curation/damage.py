"""A damaged corpus told in one line: what its files hold and should not.

In: a block that reads what an earlier run wrote, and anybody may have changed since. Out: its result, or
one line that names the place. Never: a trace for a file that is not what was written.
"""

import contextlib
from collections.abc import Iterator
from pathlib import Path

from herd.foundation import UserError

# Of Arrow's errors those that are none of these are named by their module: importing it takes a second.
DAMAGE = (
    AttributeError,
    LookupError,
    NotImplementedError,
    OSError,
    OverflowError,
    RecursionError,
    TypeError,
    ValueError,
)
SHOWN_CHARS = 200


@contextlib.contextmanager
def explain_damage(place: Path | str) -> Iterator[None]:
    """Turn what reading a damaged file raises into a UserError that names it."""
    try:
        yield
    except UserError:
        raise
    except Exception as error:
        if not isinstance(error, DAMAGE) and not type(error).__module__.startswith("pyarrow"):
            raise
        said = f"{type(error).__name__}: {error}"[:SHOWN_CHARS]
        raise UserError(
            f"{place} is damaged ({said}); remove the directory and curate again"
        ) from error
