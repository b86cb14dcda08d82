"""Tokenizers with the special tokens of each chat format."""

from pathlib import Path

import pytest

from herd.tokenizer import Tokenizer, load, train_bpe

TEXTS = [
    "The quick brown fox jumps over the lazy dog. system user assistant ipython\n\n",
    "What is the capital of France? The capital of France is Paris.\n1 2 3 <|im_start|>",
]
CHATML_SPECIAL = ("<|endoftext|>", "<|im_start|>", "<|im_end|>")
SHARED_TOKENIZERS = Path(__file__).resolve().parents[3] / "shared/data/tokenizers"


@pytest.fixture(scope="session")
def llama3_tokenizer() -> Tokenizer:
    return train_bpe(TEXTS, vocab_size=600)


@pytest.fixture(scope="session")
def chatml_tokenizer() -> Tokenizer:
    return train_bpe(TEXTS, vocab_size=320, special_tokens=CHATML_SPECIAL)


@pytest.fixture(scope="session")
def llama2_tokenizer() -> Tokenizer:
    path = SHARED_TOKENIZERS / "llama2_tokenizer.model"
    if not path.is_file():
        pytest.skip("needs the Llama 2 tokenizer of the shared data")
    return load(path)
