"""The text that a tokenizer is trained on: documents of a corpus that are not held out, drawn evenly.

In: the files of a corpus's parts. Out: texts, the same ones every time.
"""

from collections.abc import Iterator, Sequence
from pathlib import Path

from herd.data.curation.part_file import n_bytes_of, read_split
from herd.data.sample_documents import sample_documents


def training_text(parts: Sequence[Path], most_bytes: int) -> Iterator[str]:
    """Yield about `most_bytes` of text in all, or with 0 all of it, a document at a time."""
    share = 1.0
    if most_bytes:
        there = sum(
            n_bytes_of(document.text) for path in parts for document in read_split(path, "train")
        )
        share = most_bytes / max(there, 1)
    for path in parts:
        for document in sample_documents(read_split(path, "train"), share):
            yield document.text
