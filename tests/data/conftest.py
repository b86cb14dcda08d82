import hashlib

import numpy as np
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


class MemorySurveys:
    """The surveys of a stage over parts held in memory."""

    def __init__(self, parts, stage):
        self._names = [[document.name for document in part] for part in parts]
        self._columns = []
        for part in parts:
            survey = stage.open_survey()
            survey.add(part)
            self._columns.append({k: np.asarray(v) for k, v in survey.columns().items()})
        self.n_parts = len(parts)

    def column(self, part, name):
        return self._columns[part][name]

    def names(self, part):
        return self._names[part]


@pytest.fixture
def memory_surveys():
    return MemorySurveys
