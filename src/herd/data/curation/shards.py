"""The documents that stayed, as shards for the loader: tokenized part by part, then put together.

In: the parts of the last phase. Out: `shards/train`, and `shards/held_out` where a stage held some out
(meta `split`), with the lineage in each index.
"""

import itertools
import shutil
from collections.abc import Sequence
from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path
from typing import TYPE_CHECKING, Any

from herd.data.curation.layout import CurationDirectory
from herd.data.curation.part_file import read_split
from herd.data.curation.part_work import PartPaths
from herd.data.curation.phases import Phase
from herd.data.curation.recipe import PackingConfig
from herd.data.curation.training_text import training_text
from herd.data.curation.workers import Workers
from herd.data.document import SPLITS, Split
from herd.data.merge_shards import merge_shards
from herd.data.shard_writer import write_shard
from herd.foundation import UserError, atomic_directory, progress_bar, read_json, to_dict
from herd.tokenizer import load as load_tokenizer
from herd.tokenizer import train_bpe

if TYPE_CHECKING:
    from herd.tokenizer import Tokenizer


@dataclass(frozen=True, slots=True)
class PackTask:
    """Tokenize one part."""

    part: str
    documents: Path
    tokenizer: str
    out: Path

    def __str__(self) -> str:
        """Name the task in a message."""
        return f"packing part {self.part}"


def check_packing(packing: PackingConfig | None) -> None:
    """Raise UserError when the tokenizer cannot be used: now, and not when all else is done."""
    if packing and packing.tokenizer and load_tokenizer(packing.tokenizer).eos_id is None:
        raise UserError(
            f"{packing.tokenizer} has no end-of-text token to close documents with; use another"
        )


def pack_curated(
    packing: PackingConfig | None,
    directory: CurationDirectory,
    last: Phase,
    parts: Sequence[str],
    workers: Workers,
    lineage: dict[str, Any],
) -> dict[str, Any] | None:
    """Pack what stayed; return what the manifest says of the shards, None if nothing is to be packed.

    Raises UserError when nothing stayed, the tokenizer cannot be read, or the disk is full.
    """
    if packing is None:
        return None
    documents = [PartPaths(directory.phase_path(last), part).documents for part in parts]
    tokenizer = packing.tokenizer or _train(packing, directory, documents)
    scratch = directory.path / "phases" / "pack"
    if not directory.shards_path.exists():
        with atomic_directory(directory.shards_path) as partial:
            pack_parts(documents, Path(tokenizer), scratch, partial, workers, lineage)
    shutil.rmtree(scratch, ignore_errors=True)  # the shards hold all of it
    return {"tokenizer": str(packing.tokenizer or "tokenizer"), **_totals(directory)}


def _train(packing: PackingConfig, directory: CurationDirectory, documents: Sequence[Path]) -> Path:
    """Train the tokenizer on documents that are not held out, unless it is there already."""
    path = directory.tokenizer_path
    if path.exists():
        return path
    texts = training_text(documents, packing.train_bytes)
    tokenizer = train_bpe(texts, vocab_size=packing.vocab_size)
    with atomic_directory(path) as partial:
        tokenizer.save(partial)
    return path


def pack_parts(
    documents: Sequence[Path],
    tokenizer: Path,
    scratch: Path,
    out: Path,
    workers: Workers,
    lineage: dict[str, Any],
) -> None:
    """Tokenize the files of a corpus's parts, each into `scratch`, and put them together in `out`.

    What lies in `scratch` already is not done again. The caller makes `out` appear in one step.
    """
    tasks = [
        PackTask(part, path, str(tokenizer), scratch / part)
        for path in documents
        for part in (path.stem.removeprefix("part-"),)
    ]
    total = sum(task.documents.stat().st_size for task in tasks)
    with progress_bar("packing", total, unit="B") as progress:
        for task, _ in workers.run(pack_part, tasks):
            progress.advance(task.documents.stat().st_size)
    _assemble([task.out for task in tasks], out, lineage)


def pack_part(task: PackTask) -> None:
    """Write the shards of one part, unless they are there."""
    if task.out.exists():
        return
    tokenizer = _loaded(task.tokenizer, Path(task.tokenizer).stat().st_mtime_ns)
    with atomic_directory(task.out) as partial:
        for split in SPLITS:
            _pack_split(task, split, tokenizer, partial / split)


@lru_cache(maxsize=1)  # a worker packs part after part, and a vocabulary takes a second to read
def _loaded(path: str, changed_ns: int) -> "Tokenizer":
    return load_tokenizer(path)


def _pack_split(task: PackTask, split: Split, tokenizer: "Tokenizer", out: Path) -> None:
    documents = read_split(task.documents, split)
    first = next(documents, None)
    if first is not None:
        write_shard(itertools.chain([first], documents), tokenizer, out)


def _assemble(parts: Sequence[Path], out: Path, lineage: dict[str, Any]) -> None:
    for split in SPLITS:
        shards = [part / split for part in parts if (part / split).exists()]
        if shards or split == "train":
            merge_shards(shards, out / split, statistics=lineage)


def _totals(directory: CurationDirectory) -> dict[str, Any]:
    totals = {}
    for split in SPLITS:
        path = directory.shards_path / split / "index.json"
        if path.exists():
            index = read_json(path)
            names = ("n_tokens", "n_bytes", "vocab_size", "tokenizer_fingerprint", "sha256")
            totals[split] = {name: index[name] for name in names}
            totals[split]["documents"] = len(index["document_names"])
    return to_dict(totals)  # type: ignore[no-any-return]
