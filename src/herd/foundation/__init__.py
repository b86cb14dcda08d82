"""What every room stands on.

In: plain values and paths. Out: configs, run directories, logs, atomic files, devices, units, errors.
Never: a word about language models.
"""

from herd.foundation.errors import UserError

__all__ = ["UserError"]
