"""A finished corpus as shards elsewhere, and sources curated and packed in one step.

In: the directory that `curate` made, or sources; a tokenizer's path. Out: `train/` and `held_out/` in
one directory that appears whole, with the corpus's lineage in each index.
"""

import shutil
from collections.abc import Iterator
from pathlib import Path

from herd.data.curation.curate import curate
from herd.data.curation.layout import CurationDirectory
from herd.data.curation.manifest import lineage_of, read_manifest
from herd.data.curation.nothing_left import nothing_left
from herd.data.curation.read_corpus import corpus_parts
from herd.data.curation.recipe import CurationRecipe, PackingConfig
from herd.data.curation.shards import check_packing, pack_parts
from herd.data.curation.training_text import training_text
from herd.data.curation.workers import OneProcess, Workers
from herd.data.document import SPLITS, Split
from herd.data.shard_index import INDEX_NAME, ShardIndex, read_index
from herd.foundation import UserError, atomic_directory

WORK = "work"


def pack_corpus(
    corpus: Path | str, tokenizer: Path | str, out: Path | str, *, workers: Workers | None = None
) -> dict[Split, ShardIndex]:
    """Pack a finished corpus into the new directory `out`; return the index of each split.

    Raises UserError when the corpus is unfinished or empty, `out` exists, the tokenizer cannot be used,
    or the disk is full.
    """
    check_packing(PackingConfig(tokenizer=str(tokenizer)))
    require_documents(corpus)
    parts = [path for path, _ in corpus_parts(corpus)]
    lineage = lineage_of(read_manifest(CurationDirectory(Path(corpus))))
    with atomic_directory(out) as partial, (workers or OneProcess()).kept() as kept_workers:
        pack_parts(parts, Path(tokenizer), partial / WORK, partial, kept_workers, lineage)
        shutil.rmtree(partial / WORK, ignore_errors=True)
    return _indexes(Path(out))


def pack_sources(
    recipe: CurationRecipe, out: Path | str, *, replace_shards: bool = False
) -> dict[Split, ShardIndex]:
    """Curate by a recipe that packs, and keep only the shards, in `out`; return the index of each split.

    Raises UserError as `curate` does, and when `out` exists, unless `replace_shards` and it holds
    shards or nothing.
    """
    if replace_shards:
        _check_replaceable(Path(out))
    with atomic_directory(out, replace=replace_shards) as partial:
        layout = CurationDirectory(partial / WORK)
        curate(recipe, layout.path)
        for shard in layout.shards_path.iterdir():
            shard.rename(partial / shard.name)
        shutil.rmtree(layout.path)
    return _indexes(Path(out))


def corpus_text(corpus: Path | str, most_bytes: int = 0) -> Iterator[str]:
    """Yield the texts of a finished corpus to train a tokenizer on, `most_bytes` of them (0: all).

    Raises UserError when the corpus is unfinished, empty or damaged.
    """
    require_documents(corpus)
    return training_text([path for path, _ in corpus_parts(corpus)], most_bytes)


def require_documents(corpus: Path | str) -> None:
    """Raise UserError when a finished corpus has no document left, saying what became of all."""
    if not any(part["documents"] for _, part in corpus_parts(corpus)):
        raise UserError(nothing_left(read_manifest(CurationDirectory(Path(corpus)))))


def _indexes(directory: Path) -> dict[Split, ShardIndex]:
    there = [split for split in SPLITS if (directory / split).is_dir()]
    return {split: read_index(directory / split) for split in there}


def _check_replaceable(directory: Path) -> None:
    """Raise UserError unless the directory is absent, empty or a packed one: texts are no shards."""
    if not directory.exists():
        return
    if directory.is_dir():
        is_packed = any((directory / split / INDEX_NAME).exists() for split in SPLITS)
        if is_packed or not any(directory.iterdir()):
            return
    raise UserError(f"{directory} is not a packed directory; to be safe, remove it yourself")
