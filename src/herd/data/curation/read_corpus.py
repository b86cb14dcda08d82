"""A finished corpus read again: its documents in order, and whether they are still what was written.

In: the directory that `curate` made. Out: documents. Never: one of an unfinished corpus.
"""

from collections.abc import Iterator
from pathlib import Path

from herd.data.curation.layout import CurationDirectory
from herd.data.curation.manifest import read_manifest
from herd.data.curation.part_file import read_part
from herd.data.curation.part_work import PartPaths
from herd.data.document import Document
from herd.foundation import UserError, progress_bar, sha256_file


def is_corpus(directory: Path | str) -> bool:
    """Whether `curate` made or began this directory."""
    layout = CurationDirectory(Path(directory))
    return layout.recipe_path.is_file() and (
        layout.plan_path.is_file() or layout.manifest_path.is_file()
    )


def read_corpus(directory: Path | str, *, split: str | None = None) -> Iterator[Document]:
    """Yield the documents that stayed, or those of one split (`train`, `held_out`).

    Raises UserError when the corpus is unfinished or a part is damaged.
    """
    for paths, _ in _parts(Path(directory)):
        for batch in read_part(paths.documents):
            for document in batch:
                if split is None or document.meta.get("split", "train") == split:
                    yield document


def verify_corpus(directory: Path | str) -> None:
    """Read every part and compare its digest with the manifest's. Raises UserError naming one that differs."""
    parts = list(_parts(Path(directory)))
    total = sum(n_bytes for _, n_bytes in parts)
    with progress_bar("verifying", total, unit="B") as progress:
        for (paths, n_bytes), sha256 in zip(parts, _digests(Path(directory)), strict=True):
            if not paths.documents.is_file() or sha256_file(paths.documents) != sha256:
                raise UserError(
                    f"{paths.documents} is missing or not what was written; curate again"
                )
            progress.advance(n_bytes)


def _parts(directory: Path) -> Iterator[tuple[PartPaths, int]]:
    manifest = read_manifest(CurationDirectory(directory))
    for part in manifest["parts"]:
        yield PartPaths(directory / manifest["documents_path"], part["part"]), part["bytes"]


def _digests(directory: Path) -> list[str]:
    manifest = read_manifest(CurationDirectory(directory))
    return [part["sha256"] for part in manifest["parts"]]
