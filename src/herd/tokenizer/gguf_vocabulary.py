"""Open the vocabulary inside a GGUF file.

In: the file's metadata. Out: a Tokenizer.
Never: tensors; a kind of vocabulary whose rules are not known.
Source: llama.cpp's `llama-vocab.cpp`: `gpt2` is byte-level BPE by merges, `llama` SentencePiece.
"""

from collections.abc import Mapping
from typing import Any

from herd.foundation import UserError
from herd.tokenizer.json_spec import byte_level_spec
from herd.tokenizer.sentence_piece import SentencePieceTokenizer
from herd.tokenizer.sentencepiece_file import Kind, Piece, SentencePieceModel
from herd.tokenizer.special_tokens import SpecialTokens, roles_by_name
from herd.tokenizer.split_patterns import GGUF_IGNORES_MERGES, GGUF_PATTERNS
from herd.tokenizer.tokenizer import Tokenizer
from herd.tokenizer.tokenizer_json import tokenizer_of_spec

PREFIX = "tokenizer.ggml."
STOP_KEYS = ("eos_token_id", "eot_token_id", "eom_token_id")
KINDS = frozenset(int(kind) for kind in Kind)


def tokenizer_of_gguf(metadata: Mapping[str, Any], where: str) -> Tokenizer:
    """Return the tokenizer that the metadata describe. Raises UserError naming the key at fault."""
    kind = metadata.get(PREFIX + "model")
    if kind == "llama":
        return _sentence_piece(metadata, where)
    if kind == "gpt2":
        return _byte_level(metadata, where)
    found = "none" if kind is None else repr(kind)[:40]
    raise UserError(f"{where}: {PREFIX}model is {found}; Herd reads 'gpt2' and 'llama'")


def _byte_level(metadata: Mapping[str, Any], where: str) -> Tokenizer:
    tokens = _strings(metadata, "tokens", where)
    merges = [_halves(merge, where) for merge in _strings(metadata, "merges", where)]
    kinds = _kinds(metadata, len(tokens), where)
    pre = metadata.get(PREFIX + "pre", "default")
    if pre not in GGUF_PATTERNS:
        raise UserError(
            f"{where}: {PREFIX}pre is {str(pre)[:40]!r}; Herd knows {', '.join(GGUF_PATTERNS)}"
        )
    special = {t: i for i, t in enumerate(tokens) if kinds[i] in (Kind.CONTROL, Kind.UNKNOWN)}
    ignores = pre in GGUF_IGNORES_MERGES
    roles = _roles(metadata, special, where, adds_bos=ignores)
    user_defined = {t: i for i, t in enumerate(tokens) if kinds[i] == Kind.USER_DEFINED}
    added = special | user_defined
    unused = {token for token, kind in zip(tokens, kinds, strict=True) if kind == Kind.UNUSED}
    vocab = {t: i for i, t in enumerate(tokens) if t not in added and t not in unused}
    if sorted(added.values()) != list(range(len(vocab), len(vocab) + len(added))):
        vocab |= (
            added  # the library numbers added tokens after the vocabulary unless they are in it
        )
    spec = byte_level_spec(
        vocab,
        merges,
        patterns=GGUF_PATTERNS[pre],
        ignore_merges=ignores,
        roles=roles,
        plain_added=user_defined,
    )
    return tokenizer_of_spec(spec, roles, where)


def _sentence_piece(metadata: Mapping[str, Any], where: str) -> Tokenizer:
    tokens = _strings(metadata, "tokens", where)
    kinds = _kinds(metadata, len(tokens), where)
    scores = metadata.get(PREFIX + "scores")
    if not isinstance(scores, list) or len(scores) != len(tokens) or not _are_numbers(scores):
        raise UserError(f"{where}: {PREFIX}scores must be {len(tokens):,} numbers; get it again")
    special = {t: i for i, t in enumerate(tokens) if kinds[i] in (Kind.CONTROL, Kind.UNKNOWN)}
    roles = _roles(metadata, special, where, adds_bos=True)
    entries = zip(tokens, scores, kinds, strict=True)
    model = SentencePieceModel(
        pieces=tuple(Piece(text, float(score), Kind(kind)) for text, score, kind in entries),
        dummy_prefix=bool(metadata.get(PREFIX + "add_space_prefix", True)),
        bos_id=-1 if roles.bos_id is None else roles.bos_id,
        eos_id=-1 if roles.eos_id is None else roles.eos_id,
        pad_id=-1 if roles.pad_id is None else roles.pad_id,
    )
    return SentencePieceTokenizer(model, roles, where)


def _roles(
    metadata: Mapping[str, Any], special: dict[str, int], where: str, *, adds_bos: bool
) -> SpecialTokens:
    template = metadata.get("tokenizer.chat_template")
    stops = [_role_id(metadata, key, where) for key in STOP_KEYS]
    return roles_by_name(
        special,
        bos_id=_role_id(metadata, "bos_token_id", where),
        eos_id=_role_id(metadata, "eos_token_id", where),
        pad_id=_role_id(metadata, "padding_token_id", where),
        stop_ids=[token_id for token_id in stops if token_id is not None],
        adds_bos=bool(metadata.get(PREFIX + "add_bos_token", adds_bos)),
        chat_template=template if isinstance(template, str) else None,
    )


def _role_id(metadata: Mapping[str, Any], key: str, where: str) -> int | None:
    value = metadata.get(PREFIX + key)
    if value is None or type(value) is int:
        return value
    raise UserError(f"{where}: {PREFIX}{key} is {str(value)[:40]!r}, not an id; get it again")


def _strings(metadata: Mapping[str, Any], key: str, where: str) -> list[str]:
    value = metadata.get(PREFIX + key)
    if not isinstance(value, list) or not all(isinstance(item, str) for item in value):
        raise UserError(f"{where}: {PREFIX}{key} is missing or no list of strings; get it again")
    if len(set(value)) != len(value):
        raise UserError(f"{where}: {PREFIX}{key} holds one entry twice; get the file again")
    return value


def _kinds(metadata: Mapping[str, Any], n_tokens: int, where: str) -> list[int]:
    value = metadata.get(PREFIX + "token_type", [int(Kind.NORMAL)] * n_tokens)
    if not isinstance(value, list) or len(value) != n_tokens or not set(value) <= KINDS:
        raise UserError(
            f"{where}: {PREFIX}token_type must be {n_tokens:,} numbers from 1 to 6; get it again"
        )
    return value


def _halves(merge: str, where: str) -> tuple[str, str]:
    first, space, second = merge.partition(" ")
    if not space or not first or not second or " " in second:
        raise UserError(
            f"{where}: {PREFIX}merges holds {merge[:40]!r}, not two tokens; get it again"
        )
    return first, second


def _are_numbers(values: list[Any]) -> bool:
    return all(isinstance(value, int | float) for value in values)
