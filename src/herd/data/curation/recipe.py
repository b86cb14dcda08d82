"""What decides a curated corpus: sources, stages in their order, and how much is held at once.

In: settings. Out: a value that says the same as JSON, by which a run knows its own directory again.
"""

import dataclasses
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from herd.data.sources import SourceConfig
from herd.data.stage import BatchStage, CorpusStage, Stage
from herd.foundation import UserError, from_dict, sha256_file, to_dict
from herd.tokenizer import LLAMA3_SPECIAL

MOST_BYTES = 1 << 40
SMALLEST_VOCAB_SIZE = 256 + len(LLAMA3_SPECIAL)


@dataclass(frozen=True, kw_only=True, slots=True)
class LimitsConfig:
    """How much is held at once. A part is what one worker works on at a time, in bytes of text.

    `memory_bytes` bounds what a stage holds while it rules over the whole corpus.
    """

    part_bytes: int = 64 << 20
    memory_bytes: int = 1 << 30

    def __post_init__(self) -> None:
        """Refuse limits below what any part needs, and above what any machine has."""
        if not 1 << 10 <= self.part_bytes <= MOST_BYTES:
            raise UserError(f"part_bytes is {self.part_bytes}; it must be 1 KiB to 1 TiB")
        if not 1 << 20 <= self.memory_bytes <= MOST_BYTES:
            raise UserError(f"memory_bytes is {self.memory_bytes}; it must be 1 MiB to 1 TiB")


@dataclass(frozen=True, kw_only=True, slots=True)
class PackingConfig:
    """How the documents that stay become token ids.

    `tokenizer` is a file or directory; empty, a tokenizer of `vocab_size` is trained on the corpus,
    on `train_bytes` of it drawn evenly (0: on all).
    """

    tokenizer: str = ""
    vocab_size: int = 0
    train_bytes: int = 100 << 20

    def __post_init__(self) -> None:
        """Refuse neither and both."""
        if bool(self.tokenizer) == bool(self.vocab_size):
            raise UserError("packing needs either a tokenizer to load or a vocab_size to train one")
        if self.vocab_size and self.vocab_size < SMALLEST_VOCAB_SIZE:
            raise UserError(
                f"packing.vocab_size is {self.vocab_size}; bytes and special tokens alone need "
                f"{SMALLEST_VOCAB_SIZE}"
            )
        if self.train_bytes < 0:
            raise UserError(f"packing.train_bytes must not be negative: {self.train_bytes}")


@dataclass(frozen=True, kw_only=True, slots=True)
class CurationRecipe:
    """The sources, and the stages that their documents go through, in this order."""

    name: str
    sources: tuple[SourceConfig, ...]
    stages: tuple[Stage, ...]
    packing: PackingConfig | None = None
    limits: LimitsConfig = field(default_factory=LimitsConfig)

    def __post_init__(self) -> None:
        """Refuse no source, what is no stage, settings of other types, a stage twice or out of order."""
        if not self.sources:
            raise UserError(f"recipe {self.name!r}: no sources; name at least one location")
        for stage in self.stages:
            if not isinstance(stage, CorpusStage | BatchStage):
                raise UserError(f"recipe {self.name!r}: {stage!r} is not a stage of curation")
            _refuse_letters(self.name, stage)
            _refuse_other_types(self.name, stage)
        names = [stage.name for stage in self.stages]
        for name in sorted({name for name in names if names.count(name) > 1}):
            raise UserError(f"recipe {self.name!r}: the stage {name!r} comes twice")
        if "mix" in names and "held_out" in names[names.index("mix") :]:
            raise UserError(
                f"recipe {self.name!r}: held_out stands after mix, which may have made copies: one could "
                "be trained on and another held out; put it before"
            )


def _refuse_letters(recipe: str, stage: Stage) -> None:
    """Raise UserError for a string where several are meant, which would be taken letter by letter."""
    if not dataclasses.is_dataclass(stage):
        return
    for one in dataclasses.fields(stage):
        value = getattr(stage, one.name)
        if isinstance(value, str) and str(one.type).startswith("tuple["):
            raise UserError(
                f"recipe {recipe!r}: {stage.name}.{one.name} is {value!r}; write ({value!r},)"
            )


def _refuse_other_types(recipe: str, stage: Stage) -> None:
    """Raise UserError for a setting of a stage of Herd's that is of another type than its field."""
    if dataclasses.is_dataclass(stage) and type(stage).__module__.startswith("herd."):
        from_dict(type(stage), to_dict(stage), where=f"recipe {recipe!r}: {stage.name}")


def recipe_values(recipe: CurationRecipe) -> dict[str, Any]:
    """Return a recipe as plain values: each stage with its name, version, settings and the digests
    of the files that its settings name (fields called `path`, `..._path` or `..._paths`).
    """
    return {
        "name": recipe.name,
        "sources": to_dict(recipe.sources),
        "stages": [stage_values(stage) for stage in recipe.stages],
        "packing": to_dict(recipe.packing),
        "limits": to_dict(recipe.limits),
    }


def stage_values(stage: Stage) -> dict[str, Any]:
    """Return a stage as plain values."""
    settings = to_dict(stage)
    digests = {path: _digest(Path(path)) for path in sorted(set(_paths(stage)))}
    return {
        "stage": stage.name,
        "version": stage.version,
        "settings": settings,
        **({"files": digests} if digests else {}),
    }


def _paths(config: Any) -> list[str]:
    """Every file that a config names, its nested configs included."""
    found: list[str] = []
    if not dataclasses.is_dataclass(config):
        return found
    for one in dataclasses.fields(config):
        value = getattr(config, one.name)
        values = value if isinstance(value, tuple) else (value,)
        if one.name.endswith(("path", "paths")):
            found += [item for item in values if isinstance(item, str) and item]
        for item in values:
            found += _paths(item)
    return found


def _digest(path: Path) -> str:
    """SHA-256 of a file; of a directory, of the names and digests of its files."""
    if path.is_dir():
        import hashlib

        files = sorted(file for file in path.rglob("*") if file.is_file())
        lines = [f"{file.relative_to(path).as_posix()} {sha256_file(file)}\n" for file in files]
        return hashlib.sha256("".join(lines).encode()).hexdigest()
    if not path.is_file():
        raise UserError(f"{path}: no such file or directory; a stage of the recipe names it")
    return sha256_file(path)
