"""The files of a saved tokenizer, as Hugging Face's and Meta's code expect them.

In: a vocabulary and its roles. Out: tokenizer.json, tokenizer_config.json, tokenizer.model.
Never: weights; a file half-written.
"""

import json
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from herd.foundation import atomic_file, write_json, write_text
from herd.tokenizer.byte_alphabet import to_alphabet
from herd.tokenizer.json_spec import Spec, byte_level_spec, name_of
from herd.tokenizer.merges import merges_of_ranks
from herd.tokenizer.special_tokens import SpecialTokens
from herd.tokenizer.split_patterns import LLAMA3_PATTERN
from herd.tokenizer.tiktoken_file import format_ranks

JSON_NAME = "tokenizer.json"
CONFIG_NAME = "tokenizer_config.json"
MODEL_NAME = "tokenizer.model"
NO_LENGTH_LIMIT = int(1e30)  # transformers' own way to say that the tokenizer sets no limit


def save_ranks(tokens: Sequence[bytes], roles: SpecialTokens, directory: Path) -> None:
    """Save byte-level BPE: Hugging Face's pair of files and tiktoken's ranks."""
    save_spec(spec_of_ranks(tokens, roles), roles, directory)
    write_text(directory / MODEL_NAME, format_ranks(tokens))


def save_spec(spec: Spec, roles: SpecialTokens, directory: Path) -> None:
    """Save tokenizer.json and tokenizer_config.json."""
    write_text(directory / JSON_NAME, json.dumps(spec, ensure_ascii=False))
    write_json(directory / CONFIG_NAME, tokenizer_config(roles))


def save_model_bytes(content: bytes, directory: Path) -> None:
    """Save tokenizer.model (SentencePiece's format)."""
    with atomic_file(directory / MODEL_NAME) as partial:
        partial.write_bytes(content)


def spec_of_ranks(tokens: Sequence[bytes], roles: SpecialTokens) -> Spec:
    """Return the tokenizer.json that gives the ids of BPE by ranks."""
    written = [to_alphabet(token) for token in tokens]
    return byte_level_spec(
        {token: rank for rank, token in enumerate(written)},
        merges_of_ranks(written),
        patterns=[LLAMA3_PATTERN],
        ignore_merges=True,
        roles=roles,
    )


def tokenizer_config(roles: SpecialTokens) -> dict[str, Any]:
    """Return the settings that transformers.AutoTokenizer reads."""
    names = {
        "bos_token": name_of(roles, roles.bos_id),
        "eos_token": name_of(roles, roles.eos_id),
        "pad_token": name_of(roles, roles.pad_id),
        "chat_template": roles.chat_template,
    }
    return {
        "tokenizer_class": "PreTrainedTokenizerFast",
        "model_max_length": NO_LENGTH_LIMIT,
        "clean_up_tokenization_spaces": False,
        "add_bos_token": roles.adds_bos,
        "add_eos_token": False,
        **{key: value for key, value in names.items() if value is not None},
    }
