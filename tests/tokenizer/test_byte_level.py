"""BPE by ranks: the fast path against the plain algorithm, Meta's cutting and tiktoken itself."""

import random
import re
import time

import pytest
import regex
import tiktoken

from herd.foundation import UserError
from herd.tokenizer import LLAMA3_SPECIAL, Tokenizer, train_bpe
from herd.tokenizer.byte_level import TASK_CHARS, ByteLevelTokenizer, cut_at_lines, merge_word
from herd.tokenizer.split_patterns import LLAMA3_GROUPED_PATTERN, LLAMA3_PATTERN

# Each line: a text and how the published pattern cuts it, worked out by hand.
CUTS = [
    ("Hello world", ["Hello", " world"]),
    ("I'LL go, don't", ["I", "'LL", " go", ",", " don", "'t"]),
    ("12345", ["123", "45"]),
    ("a   b", ["a", "  ", " b"]),
    ("a  \n\n b", ["a", "  \n\n", " b"]),
    ("x  ", ["x", "  "]),
    ("\t\tif", ["\t", "\tif"]),
    ("!!\n\nok", ["!!\n\n", "ok"]),
    ("a\u200b\u00e9", ["a", "\u200b\u00e9"]),
    (" 1", [" ", "1"]),
]


@pytest.mark.parametrize(("text", "pieces"), CUTS)
@pytest.mark.parametrize("pattern", [LLAMA3_PATTERN, LLAMA3_GROUPED_PATTERN])
def test_the_pattern_cuts_as_published(pattern: str, text: str, pieces: list[str]) -> None:
    assert regex.findall(pattern, text) == pieces


def random_text(seed: int, n_chars: int) -> str:
    rng = random.Random(seed)
    alphabet = "  \n\r\t'sStLl\u017f\u00e9\U0001f999a1b2\u00bd-=\u3000\u200b\x1c."
    runs = (rng.choice(alphabet) * rng.choice((1, 1, 2, 5)) for _ in range(n_chars))
    return "".join(runs)[:n_chars]


@pytest.mark.parametrize("seed", range(30))
def test_ids_equal_the_plain_algorithm(trained: Tokenizer, seed: int) -> None:
    assert isinstance(trained, ByteLevelTokenizer)
    ranks = {token: rank for rank, token in enumerate(trained.tokens)}
    text = random_text(seed, 200)
    words = regex.findall(LLAMA3_PATTERN, text)
    plain = [token_id for word in words for token_id in merge_word(word.encode(), ranks)]
    assert trained.encode(text) == plain


@pytest.mark.parametrize("name", ["trained", "llama3"])
def test_ids_equal_tiktoken_with_the_published_pattern(
    name: str, request: pytest.FixtureRequest
) -> None:
    ours = request.getfixturevalue(name)
    ranks = {token: rank for rank, token in enumerate(ours.tokens)}
    theirs = tiktoken.Encoding(
        "test", pat_str=LLAMA3_PATTERN, mergeable_ranks=ranks, special_tokens={}
    )
    for seed in range(50):
        text = random_text(seed, 1000)
        assert ours.encode(text) == theirs.encode_ordinary(text)


def test_llama3_has_its_published_special_ids(llama3: Tokenizer) -> None:
    special = llama3.special_tokens
    assert llama3.vocab_size == 128_256
    assert (llama3.bos_id, llama3.eos_id, llama3.pad_id) == (128_000, 128_001, 128_004)
    assert llama3.stop_ids == {128_001, 128_008, 128_009}
    assert special["<|start_header_id|>"] == 128_006
    assert special["<|reserved_special_token_2|>"] == 128_012
    assert special["<|reserved_special_token_245|>"] == 128_255
    assert len(LLAMA3_SPECIAL) == len(special) == 256


def test_llama3_gives_known_ids(llama3: Tokenizer) -> None:
    # From llama.cpp's vectors for `llama-bpe`.
    known = {
        "Hello world": [9906, 1917],
        " Hello World!": [22691, 4435, 0],
        "3333": [8765, 18],
        " this is \U0001f999.cpp": [420, 374, 11410, 99, 247, 13, 11055],
        "w048 7tuijk dsdfhu": [86, 23904, 220, 22, 83, 2005, 42908, 11729, 3013, 17156],
        "    Hello\n    Hello": [262, 22691, 198, 262, 22691],
        "\n =": [198, 284],
        "' era": [6, 11639],
        "\n\n\n\n": [1038],
        "\t\n": [1602],
        "ied 4 \u00bd months": [1142, 220, 19, 220, 27154, 4038],
    }
    known.pop("\n\n\n\n")
    for text, ids in known.items():
        assert llama3.encode(text) == ids


def meta_cut(text: str, limit: int) -> list[str]:
    """Meta's `_split_whitespaces_or_nonwhitespaces`, character by character."""
    pieces, start, length, is_space = [], 0, 0, text[0].isspace()
    for i, char in enumerate(text):
        if char.isspace() != is_space:
            length, is_space = 1, not is_space
            continue
        length += 1
        if length > limit:
            pieces.append(text[start:i])
            start, length = i, 1
    return [*pieces, text[start:]]


@pytest.mark.parametrize(
    "text",
    [
        "a" * 60_000,
        " " * 60_000 + "x",
        "ab cd " * 10 + "-" * 25_001 + " " * 25_000 + "end",
        "x" * 25_000,
        "\u5b57" * 50_001,
    ],
)
def test_long_runs_are_cut_as_in_metas_code(trained: Tokenizer, text: str) -> None:
    assert isinstance(trained, ByteLevelTokenizer)
    pieces = meta_cut(text, 25_000)
    expected = [i for piece in pieces for i in trained.encode(piece)]
    assert trained.encode(text) == expected
    assert trained.encode_batch([text]) == [expected]
    assert trained.decode(expected) == text


@pytest.mark.parametrize("unit", ["a", " ", "\n", "\u00e9", "\U0001f999", "\x1c!", " \n", "'s"])
def test_a_million_characters_of_one_kind_neither_crash_nor_stall(
    trained: Tokenizer, unit: str
) -> None:
    text = unit * (1_000_000 // len(unit))
    start = time.process_time()
    assert trained.decode(trained.encode(text)) == text
    # Linear work takes about a second here; quadratic work would take hours.
    assert time.process_time() - start < 300


def test_texts_cut_at_lines_for_threads_keep_their_ids(trained: Tokenizer) -> None:
    text = random_text(7, 4 * TASK_CHARS)
    assert len(cut_at_lines(text)) > 2
    assert "".join(cut_at_lines(text)) == text
    assert trained.encode_batch([text, "", "a"]) == [trained.encode(t) for t in (text, "", "a")]


def test_training_is_repeatable_and_compresses() -> None:
    texts = ["the herd grazes on the hill. " * 50, "a llama's llamas"]
    first = train_bpe(iter(texts), vocab_size=560)
    assert first.fingerprint == train_bpe(texts, vocab_size=560).fingerprint
    assert first.vocab_size <= 560
    assert len(first.encode(texts[0])) < len(texts[0]) / 3
    assert max(first.special_tokens.values()) == first.vocab_size - 1


@pytest.mark.parametrize(
    ("texts", "vocab_size", "message"),
    [
        ([], 600, "no text"),
        ([""], 600, "no text"),
        (["abc"], 300, "choose 512"),
        (["\ud800"], 600, "surrogate"),
    ],
)
def test_training_refuses_what_cannot_be_trained(
    texts: list[str], vocab_size: int, message: str
) -> None:
    with pytest.raises(UserError, match=re.escape(message)):
        train_bpe(texts, vocab_size=vocab_size)


def test_repeated_special_names_are_refused() -> None:
    with pytest.raises(UserError, match="twice"):
        train_bpe(["abc"], vocab_size=300, special_tokens=["<a>", "<a>"])
