"""Tokenizers that several files try, made once."""

from collections.abc import Callable
from pathlib import Path

import pytest

from herd.tokenizer import Tokenizer, load, train_bpe

SHARED = Path(__file__).resolve().parents[3] / "shared" / "data" / "tokenizers"
TEXT = (
    "It's the herd's llama: they'll graze in 2026, won't they?\n\n\tdef graze(x):\n  return x + 1\n"
)


def need(name: str) -> Path:
    path = SHARED / name
    if not path.exists():
        pytest.skip(f"needs the shared file {name}")
    return path


@pytest.fixture(scope="session")
def trained() -> Tokenizer:
    return train_bpe([TEXT * 5, Path(__file__).read_text()], vocab_size=700)


@pytest.fixture(scope="session")
def llama2() -> Tokenizer:
    return load(need("llama2_tokenizer.model"))


@pytest.fixture(scope="session")
def llama3() -> Tokenizer:
    return load(need("llama3_tokenizer.model"))


@pytest.fixture(scope="session")
def llama2_gguf() -> Tokenizer:
    return load(need("ggml-vocab-llama-spm.gguf"))


@pytest.fixture(scope="session")
def saved_as(tmp_path_factory: pytest.TempPathFactory) -> Callable[[Tokenizer], Path]:
    """Save a tokenizer once and say where."""
    directories: dict[str, Path] = {}

    def save(tokenizer: Tokenizer) -> Path:
        if tokenizer.fingerprint not in directories:
            directories[tokenizer.fingerprint] = tmp_path_factory.mktemp("saved")
            tokenizer.save(directories[tokenizer.fingerprint])
        return directories[tokenizer.fingerprint]

    return save


@pytest.fixture(params=["trained", "llama2", "llama3"])
def any_tokenizer(request: pytest.FixtureRequest) -> Tokenizer:
    return request.getfixturevalue(request.param)
