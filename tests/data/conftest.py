import hashlib

import pytest


class ByteTokenizer:
    """Bytes as ids, and one id more for the end of text: enough to test what is around a tokenizer."""

    def __init__(self, vocab_size=257):
        self.vocab_size = vocab_size
        self.eos_id = vocab_size - 1
        self.fingerprint = hashlib.sha256(f"bytes {vocab_size}".encode()).hexdigest()

    def encode_batch(self, texts, *, bos=False, eos=False):
        assert not bos and not eos
        return [list(text.encode()) for text in texts]


@pytest.fixture
def tokenizer():
    return ByteTokenizer()


@pytest.fixture
def make_tokenizer():
    return ByteTokenizer
