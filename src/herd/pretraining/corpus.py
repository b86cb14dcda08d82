"""From sources to what training needs first: the tokenizer that the corpus is packed with.

In: sources, how to clean them, a vocabulary size or an existing tokenizer. Out: a tokenizer.
"""

from dataclasses import dataclass, field
from typing import Self

from herd.data import CleaningConfig, Corpus, SourceConfig, sample_documents
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


def make_tokenizer(config: TokenizerConfig, corpus: Corpus) -> Tokenizer:
    """Load the tokenizer that the config names, or train one on the corpus's training documents."""
    if config.path:
        return load_tokenizer(config.path)
    documents = corpus.documents("train")
    share = config.train_bytes / max(corpus.n_bytes("train"), 1) if config.train_bytes else 1.0
    texts = (document.text for document in sample_documents(documents, share))
    return train_bpe(texts, vocab_size=config.vocab_size)
