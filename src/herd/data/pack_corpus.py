"""A prepared corpus to two shards, `train/` and `held_out/`, in one directory that appears whole."""

from pathlib import Path
from typing import TYPE_CHECKING, get_args

from herd.data.corpus import Corpus, Split
from herd.data.shard_index import INDEX_NAME, ShardIndex
from herd.data.shard_writer import write_shard
from herd.foundation import UserError, atomic_directory, progress_bar, to_dict

if TYPE_CHECKING:
    from herd.tokenizer import Tokenizer

SPLITS: tuple[Split, ...] = get_args(Split)


def pack_corpus(
    corpus: Corpus, tokenizer: "Tokenizer", directory: Path | str, *, replace: bool = False
) -> dict[Split, ShardIndex]:
    """Pack each split that has documents into `directory/SPLIT`; return the indexes.

    Each index holds the decisions and counters of the whole corpus. Raises UserError when the
    directory exists (unless `replace` and it holds shards or nothing), the disk is full, or a source changed meanwhile.
    """
    if replace:
        _check_replaceable(Path(directory))
    statistics = {
        "sources": to_dict(corpus.sources),
        "cleaning": to_dict(corpus.config),
        **corpus.tally.statistics(),
    }
    splits = [split for split in SPLITS if corpus.n_documents(split)]
    total_bytes = sum(corpus.n_bytes(split) for split in splits)
    with (
        atomic_directory(directory, replace=replace) as partial,
        progress_bar("packing", total_bytes, unit="B") as progress,
    ):
        return {
            split: write_shard(
                corpus.documents(split),
                tokenizer,
                partial / split,
                statistics=statistics,
                progress=progress,
            )
            for split in splits
        }


def _check_replaceable(directory: Path) -> None:
    """Raise UserError unless the directory is absent, empty or a packed one: texts are no shards."""
    if not directory.exists():
        return
    if directory.is_dir():
        is_packed = any((directory / split / INDEX_NAME).exists() for split in SPLITS)
        if is_packed or not any(directory.iterdir()):
            return
    raise UserError(f"{directory} is not a packed directory; to be safe, remove it yourself")
