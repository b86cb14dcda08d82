"""Llama 2: the vectors of llama.cpp, the library's own ids, digits and bytes."""

from pathlib import Path

import pytest
import sentencepiece

from herd.tokenizer import TextStream, Tokenizer
from herd.tokenizer.sentencepiece_file import format_sentencepiece, parse_sentencepiece

SEPARATOR = "\n__ggml_vocab_test__\n"
VECTORS = "ggml-vocab-llama-spm.gguf"


@pytest.fixture
def folder(llama2: Tokenizer, request: pytest.FixtureRequest) -> Path:
    return request.path.resolve().parents[3] / "shared" / "data" / "tokenizers"


@pytest.mark.parametrize("name", ["llama2", "llama2_gguf"])
def test_the_vectors_of_llama_cpp_pass(
    name: str, folder: Path, request: pytest.FixtureRequest
) -> None:
    tokenizer = request.getfixturevalue(name)
    texts = (folder / f"{VECTORS}.inp").read_bytes().decode().split(SEPARATOR)
    lines = (folder / f"{VECTORS}.out").read_text().split("\n")
    assert len(texts) > 40
    for text, line in zip(texts, lines, strict=False):
        ids = [int(word) for word in line.split()]
        assert tokenizer.encode(text) == ids, text
        assert tokenizer.decode(ids) == text


def test_ids_equal_the_librarys(llama2: Tokenizer, folder: Path) -> None:
    library = sentencepiece.SentencePieceProcessor(
        model_file=str(folder / "llama2_tokenizer.model")
    )
    texts = ["", " ", "a  b\n", "The <s> llama's 12345 \U0001f999\x00", "x" * 3000, "\u00e9\u3000"]
    for text in texts:
        assert llama2.encode(text) == library.encode(text)
    assert llama2.encode_batch(texts) == [library.encode(text) for text in texts]


def test_digits_stand_alone_and_unknown_characters_become_bytes(llama2: Tokenizer) -> None:
    digits = [llama2.token_bytes(i) for i in llama2.encode("12345")]
    assert digits[-5:] == [b"1", b"2", b"3", b"4", b"5"]
    assert llama2.encode("\U0001f999")[-4:] == [243, 162, 169, 156]
    assert (llama2.bos_id, llama2.eos_id, llama2.pad_id) == (1, 2, None)


def test_the_model_file_and_the_gguf_are_one_tokenizer(
    llama2: Tokenizer, llama2_gguf: Tokenizer
) -> None:
    assert llama2.fingerprint == llama2_gguf.fingerprint


def test_a_model_written_and_read_is_the_same(folder: Path) -> None:
    path = folder / "llama2_tokenizer.model"
    model = parse_sentencepiece(path.read_bytes(), path)
    assert parse_sentencepiece(format_sentencepiece(model), path) == model


def test_a_continued_stream_keeps_the_leading_space(llama2: Tokenizer) -> None:
    stream = TextStream(llama2)
    assert "".join(map(stream.push, llama2.encode("Paris"))) + stream.flush() == " Paris"
