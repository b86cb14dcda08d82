"""Texts in their order, so many together that arrays over them stay in the processor's cache.

In: texts. Out: lists of them, none empty. A text longer than the bound is a list of its own.
"""

from collections.abc import Iterable, Iterator


def text_batches(texts: Iterable[str], most_chars: int) -> Iterator[list[str]]:
    """Yield lists of texts of at most `most_chars` characters together."""
    batch: list[str] = []
    n_chars = 0
    for text in texts:
        if batch and n_chars + len(text) > most_chars:
            yield batch
            batch, n_chars = [], 0
        batch.append(text)
        n_chars += len(text)
    if batch:
        yield batch
