"""A finished corpus read again: its documents in order, and whether they are still what was written.

In: the directory that `curate` made. Out: documents. Never: one of an unfinished corpus.
"""

from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

from herd.data.curation.damage import explain_damage
from herd.data.curation.layout import CurationDirectory
from herd.data.curation.manifest import read_manifest
from herd.data.curation.part_file import read_split
from herd.data.curation.part_work import PartPaths
from herd.data.document import Document
from herd.foundation import UserError, progress_bar, sha256_file


def is_corpus(directory: Path | str) -> bool:
    """Whether `curate` made or began this directory."""
    layout = CurationDirectory(Path(directory))
    return layout.recipe_path.is_file() and (
        layout.plan_path.is_file() or layout.manifest_path.is_file()
    )


def read_corpus(
    directory: Path | str, *, split: str | None = None, doing: str = ""
) -> Iterator[Document]:
    """Yield the documents that stayed, or those of one split (`train`, `held_out`).

    With `doing` progress is shown under that name. Raises UserError when the corpus is unfinished or
    a part is damaged.
    """
    parts = corpus_parts(directory)
    if not doing:
        for path, _ in parts:
            yield from read_split(path, split)
        return
    with progress_bar(doing, total_bytes(parts), unit="B") as progress:
        for path, part in parts:
            yield from read_split(path, split)
            progress.advance(part["bytes"])


def verify_corpus(directory: Path | str) -> None:
    """Read every part and compare its digest with the manifest's. Raises UserError naming one that differs."""
    parts = corpus_parts(directory)
    with progress_bar("verifying", total_bytes(parts), unit="B") as progress:
        for path, part in parts:
            if not path.is_file() or sha256_file(path) != part["sha256"]:
                raise UserError(f"{path} is missing or not what was written; curate again")
            progress.advance(part["bytes"])


def corpus_parts(directory: Path | str) -> list[tuple[Path, Mapping[str, Any]]]:
    """Return the file of each part, and what the manifest says of it.

    Raises UserError when the corpus is unfinished or the manifest damaged.
    """
    layout = CurationDirectory(Path(directory))
    manifest = read_manifest(layout)
    with explain_damage(layout.manifest_path):
        folder = Path(directory) / manifest["documents_path"]
        return [
            (PartPaths(folder, part["part"]).documents, {**part, "bytes": int(part["bytes"])})
            for part in manifest["parts"]
        ]


def total_bytes(parts: Sequence[tuple[Path, Mapping[str, Any]]]) -> int:
    """Return the bytes of text in all parts."""
    return sum(part["bytes"] for _, part in parts)
