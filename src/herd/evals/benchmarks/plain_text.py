"""How well plain text is foretold: bits per byte and perplexities, of any file.

In: text. Out: pieces of some thousand bytes, each a document. Never: a piece cut inside a line; what
stands before a piece is not shown to the model.
"""

from __future__ import annotations

from collections.abc import Sequence
from functools import partial
from pathlib import Path

from herd.evals.benchmarks.benchmark import Benchmark, Splits
from herd.evals.benchmarks.data_folder import DataFolder
from herd.evals.measures import perplexity_of
from herd.foundation import UserError

PIECE_BYTES = 8_000


def _perplexity(texts: Sequence[tuple[float, int]]) -> float:
    """The harness's `weighted_perplexity`, which overflows where text has no spaces: one endless word."""
    return perplexity_of(-sum(nats for nats, _ in texts) / sum(units for _, units in texts))


BITS_PER_BYTE = {
    "output_type": "loglikelihood_rolling",
    "doc_to_text": "",
    "doc_to_target": "{{text}}",
    "metric_list": [
        {"metric": name, "aggregation": aggregation, "higher_is_better": False}
        for name, aggregation in (
            ("bits_per_byte", "bits_per_byte"),
            ("byte_perplexity", _perplexity),
            ("word_perplexity", _perplexity),
        )
    ],
}


def text_benchmark(path: Path) -> Benchmark:
    """Return the benchmark that a text file is."""
    return Benchmark(
        name=f"text_{path.name.split('.')[0]}",
        read=partial(read_text, path),
        metric="bits_per_byte",
        overrides=BITS_PER_BYTE,
        needs_data=False,
        about=f"bits per byte of {path.name}, in pieces of {PIECE_BYTES:,} bytes",
    )


def held_out_benchmark(texts: Sequence[str]) -> Benchmark:
    """Return the benchmark that the documents are which a model's corpus held out."""
    pieces = [piece for text in texts for piece in pieces_of(text.split("\n"))]
    return Benchmark(
        name="held_out",
        read=partial(_given, pieces),
        metric="bits_per_byte",
        overrides=BITS_PER_BYTE,
        needs_data=False,
        about=f"bits per byte of text that was held out, in pieces of {PIECE_BYTES:,} bytes",
    )


def _given(pieces: Sequence[str], data: DataFolder) -> Splits:
    return {"test": [{"text": piece} for piece in pieces]}


def read_text(path: Path, data: DataFolder) -> Splits:
    """Read a text file, compressed or not, in pieces. Raises UserError when it is not there."""
    return {"test": [{"text": piece} for piece in pieces_of(_lines(path))]}


def read_whole_text(path: Path) -> str:
    """Return all of a text file, compressed or not. Raises UserError as `read_text` does."""
    return "\n".join(_lines(path))


def _lines(path: Path) -> list[str]:
    if not path.is_file():
        raise UserError(f"{path}: no such file")
    return DataFolder(path.parent).lines(path.name)


def pieces_of(lines: list[str], most_bytes: int = PIECE_BYTES) -> list[str]:
    """Return lines put together to pieces of about `most_bytes`."""
    pieces: list[str] = []
    held: list[str] = []
    n_bytes = 0
    for line in lines:
        held.append(line)
        n_bytes += len(line.encode()) + 1
        if n_bytes >= most_bytes:
            pieces.append("\n".join(held))
            held, n_bytes = [], 0
    if "".join(held).strip():
        pieces.append("\n".join(held))
    return [piece for piece in pieces if piece.strip()]
