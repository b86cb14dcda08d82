"""Text to ids and back.

In: text; vocabularies as tiktoken, SentencePiece, tokenizer.json and GGUF files hold them. Out: ids, text, saved tokenizers.
Never: dialogs, the network, special tokens out of plain text.
"""

from herd.tokenizer.describe import describe
from herd.tokenizer.load import load
from herd.tokenizer.special_tokens import LLAMA3_SPECIAL
from herd.tokenizer.text_stream import TextStream
from herd.tokenizer.texts import read_standard_input, read_texts
from herd.tokenizer.tokenizer import Tokenizer
from herd.tokenizer.train import train_bpe

__all__ = [
    "LLAMA3_SPECIAL",
    "TextStream",
    "Tokenizer",
    "describe",
    "load",
    "read_standard_input",
    "read_texts",
    "train_bpe",
]
