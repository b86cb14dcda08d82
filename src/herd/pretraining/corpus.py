"""From sources to what training needs first: a clean corpus, and the tokenizer that it is packed with.

In: sources, how to clean them, a vocabulary size or an existing tokenizer. Out: a curation recipe; a
tokenizer.
"""

from dataclasses import dataclass, field
from pathlib import Path
from typing import Self

from herd.data import CleaningConfig, CurationRecipe, SourceConfig, cleaning_stages, corpus_text
from herd.foundation import UserError
from herd.tokenizer import Tokenizer, train_bpe
from herd.tokenizer import load as load_tokenizer


@dataclass(frozen=True, kw_only=True, slots=True)
class CorpusConfig:
    """Where the text comes from and how it is cleaned and split."""

    sources: tuple[SourceConfig, ...]
    cleaning: CleaningConfig = field(default_factory=CleaningConfig)

    def __post_init__(self) -> None:
        """Refuse a corpus of nothing."""
        if not self.sources:
            raise UserError("corpus.sources is empty; name at least one location")

    @classmethod
    def of(cls, *locations: str) -> Self:
        """Return the corpus of these locations, each with its defaults."""
        return cls(sources=tuple(SourceConfig(location=location) for location in locations))


@dataclass(frozen=True, kw_only=True, slots=True)
class TokenizerConfig:
    """A tokenizer to train on the corpus, or, with `path`, one to load instead.

    `train_bytes` bounds the text it is trained on, drawn evenly from all documents; 0 takes all.
    """

    vocab_size: int
    train_bytes: int = 0
    path: str = ""

    def __post_init__(self) -> None:
        """Check every field."""
        if self.vocab_size < 1:
            raise UserError(f"tokenizer.vocab_size must be at least 1: {self.vocab_size}")
        if self.train_bytes < 0:
            raise UserError(f"tokenizer.train_bytes must not be negative: {self.train_bytes}")


def curation_of(config: CorpusConfig) -> CurationRecipe:
    """Return how the corpus is curated."""
    stages = cleaning_stages(config.cleaning)
    return CurationRecipe(name="corpus", sources=config.sources, stages=stages)


def make_tokenizer(config: TokenizerConfig, corpus: Path) -> Tokenizer:
    """Load the tokenizer that the config names, or train one on the training documents of a corpus.

    Raises UserError when the corpus has no document.
    """
    if config.path:
        return load_tokenizer(config.path)
    return train_bpe(corpus_text(corpus, config.train_bytes), vocab_size=config.vocab_size)
