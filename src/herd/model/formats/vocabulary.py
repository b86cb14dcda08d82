"""Does this tokenizer belong to this model?

In: a config, a tokenizer, the file or directory to name. Out: nothing, or UserError.
Never: a guess; a model may have more rows than the tokenizer has ids (padding), never fewer.
"""

from pathlib import Path

from herd.foundation import UserError
from herd.model.config import ModelConfig
from herd.tokenizer import Tokenizer


def check_vocabulary(config: ModelConfig, tokenizer: Tokenizer, path: Path | str) -> None:
    """Raise UserError when the tokenizer can produce ids for which the model has no embedding."""
    if tokenizer.vocab_size > config.vocab_size:
        raise UserError(
            f"{path}: the tokenizer has {tokenizer.vocab_size:,} ids but the model embeds only "
            f"{config.vocab_size:,}; use the tokenizer that the model was trained with"
        )
