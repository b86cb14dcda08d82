"""What the loop asks of data: any stretch of an endless, fixed order of sequences.

The order depends on nothing but the source itself, so the position in it is one integer.
"""

from typing import Protocol

from herd.data import Batch


class BatchSource(Protocol):
    """Sequences of one length, numbered from 0 without end."""

    @property
    def context(self) -> int:
        """Tokens in one sequence."""

    def batch(self, first_sequence: int, n_sequences: int) -> Batch:
        """Return sequences `first_sequence` and following."""

    def documents_in(self, first_sequence: int, n_sequences: int) -> list[str]:
        """Return the names of the documents that these sequences were cut from."""
