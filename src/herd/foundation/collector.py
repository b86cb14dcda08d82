"""Python's garbage collector, held back while much is made and nothing thrown away.

In: nothing. Out: a block of code that it does not interrupt.
Never: a lasting change; it goes on as it was before.
"""

import contextlib
import gc
from collections.abc import Iterator


@contextlib.contextmanager
def collector_paused() -> Iterator[None]:
    """Pause the collector: importing PyTorch makes it walk through a million living objects many
    times over, a fifth of a second in all. What becomes garbage here is found afterwards.
    """
    was_enabled = gc.isenabled()
    gc.disable()
    try:
        yield
    finally:
        if was_enabled:
            gc.enable()
