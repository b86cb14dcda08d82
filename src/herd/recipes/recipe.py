"""What a recipe is: everything that decides a run, as one value.

In: configs of the rooms below. Out: a value that prints, saves to JSON and reloads equal.
"""

from dataclasses import dataclass

from herd.foundation import UserError
from herd.model import ModelConfig
from herd.pretraining import CorpusConfig, InitialConfig, TokenizerConfig


@dataclass(frozen=True, kw_only=True, slots=True)
class Recipe:
    """A model, what it reads, how it reads it. `source` cites where the numbers come from."""

    name: str
    source: str
    model: ModelConfig
    corpus: CorpusConfig
    tokenizer: TokenizerConfig
    initial: InitialConfig

    def __post_init__(self) -> None:
        """Check what concerns more than one part."""
        if self.tokenizer.vocab_size > self.model.vocab_size:
            raise UserError(
                f"tokenizer.vocab_size ({self.tokenizer.vocab_size}) is beyond "
                f"model.vocab_size ({self.model.vocab_size})"
            )
