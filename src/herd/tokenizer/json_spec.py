"""What stands in a tokenizer.json: written out for each kind of vocabulary that Herd holds.

In: vocabulary, merges, special tokens. Out: the JSON value that Hugging Face's `tokenizers` opens.
Never: reading one (`tokenizer_json.py`), files.
Source: the serialised form of `tokenizers`; the Llama pipelines of transformers' converters.
"""

from collections.abc import Mapping, Sequence
from typing import Any

from herd.tokenizer.special_tokens import SpecialTokens

Spec = dict[str, Any]
SPACE_MARK = "\u2581"  # SentencePiece's visible space
BYTE_LEVEL = {
    "type": "ByteLevel",
    "add_prefix_space": False,
    "trim_offsets": True,
    "use_regex": False,
}


def byte_level_spec(
    vocab: Mapping[str, int],
    merges: Sequence[tuple[str, str]],
    *,
    patterns: Sequence[str],
    ignore_merges: bool,
    roles: SpecialTokens,
    plain_added: Mapping[str, int] | None = None,
) -> Spec:
    """Byte-level BPE: tokens in GPT-2's alphabet, text cut by `patterns` one after the other."""
    splits = [
        {"type": "Split", "pattern": {"Regex": p}, "behavior": "Isolated", "invert": False}
        for p in patterns
    ]
    model = _bpe(vocab, merges, ignore_merges=ignore_merges)
    return {
        **_frame(roles, plain_added or {}),
        "normalizer": None,
        "pre_tokenizer": {"type": "Sequence", "pretokenizers": [*splits, dict(BYTE_LEVEL)]},
        "decoder": {**BYTE_LEVEL, "add_prefix_space": True, "use_regex": True},
        "model": model,
    }


def sentencepiece_spec(
    vocab: Mapping[str, int],
    merges: Sequence[tuple[str, str]],
    *,
    unknown: str,
    byte_fallback: bool,
    dummy_prefix: bool,
    roles: SpecialTokens,
    plain_added: Mapping[str, int],
) -> Spec:
    """Llama 2's BPE: spaces as marks, one put before the text, unknown characters by bytes."""
    prepend = [{"type": "Prepend", "prepend": SPACE_MARK}] if dummy_prefix else []
    replace = {"type": "Replace", "pattern": {"String": " "}, "content": SPACE_MARK}
    restore = {"type": "Replace", "pattern": {"String": SPACE_MARK}, "content": " "}
    strip = [{"type": "Strip", "content": " ", "start": 1, "stop": 0}] if dummy_prefix else []
    decoders = [restore, {"type": "ByteFallback"}, {"type": "Fuse"}, *strip]
    model = _bpe(vocab, merges, ignore_merges=False)
    model |= {"unk_token": unknown, "fuse_unk": True, "byte_fallback": byte_fallback}
    return {
        **_frame(roles, plain_added),
        "normalizer": {"type": "Sequence", "normalizers": [*prepend, replace]},
        "pre_tokenizer": None,
        "decoder": {"type": "Sequence", "decoders": decoders},
        "model": model,
    }


def _bpe(
    vocab: Mapping[str, int], merges: Sequence[tuple[str, str]], *, ignore_merges: bool
) -> Spec:
    return {
        "type": "BPE",
        "dropout": None,
        "unk_token": None,
        "continuing_subword_prefix": None,
        "end_of_word_suffix": None,
        "fuse_unk": False,
        "byte_fallback": False,
        "ignore_merges": ignore_merges,
        "vocab": dict(vocab),
        "merges": [list(merge) for merge in merges],
    }


def _frame(roles: SpecialTokens, plain_added: Mapping[str, int]) -> Spec:
    added = [(token_id, name, True) for name, token_id in roles.ids.items()]
    added += [(token_id, name, False) for name, token_id in plain_added.items()]
    return {
        "version": "1.0",
        "truncation": None,
        "padding": None,
        "added_tokens": [_added_token(*entry) for entry in sorted(added)],
        "post_processor": _bos_template(roles),
    }


def _added_token(token_id: int, name: str, special: bool) -> Spec:
    return {
        "id": token_id,
        "content": name,
        "single_word": False,
        "lstrip": False,
        "rstrip": False,
        "normalized": False,
        "special": special,
    }


def _bos_template(roles: SpecialTokens) -> Spec | None:
    """Puts BOS first when a library is asked for special tokens, as Meta's own export does."""
    name = name_of(roles, roles.bos_id)
    if not roles.adds_bos or name is None:
        return None
    bos = {"SpecialToken": {"id": name, "type_id": 0}}
    text, second = ({"Sequence": {"id": part, "type_id": i}} for i, part in enumerate("AB"))
    second_bos = {"SpecialToken": {"id": name, "type_id": 1}}
    return {
        "type": "TemplateProcessing",
        "single": [bos, text],
        "pair": [bos, text, second_bos, second],
        "special_tokens": {name: {"id": name, "ids": [roles.bos_id], "tokens": [name]}},
    }


def name_of(roles: SpecialTokens, token_id: int | None) -> str | None:
    """Return the name of a special token's id, or None."""
    return next((name for name, i in roles.ids.items() if i == token_id), None)
