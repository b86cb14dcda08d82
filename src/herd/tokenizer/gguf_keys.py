"""The `tokenizer.ggml.*` keys of a GGUF file, for each kind of vocabulary.

In: a vocabulary and its roles. Out: metadata with which llama.cpp gives the same ids.
Never: writing the file (`herd.model`), reading one (`gguf_vocabulary.py`).
Source: llama.cpp's `gguf-py` constants and `llama-vocab.cpp`.
"""

from collections.abc import Sequence
from typing import Any

from herd.foundation import UserError
from herd.tokenizer.byte_alphabet import to_alphabet
from herd.tokenizer.json_spec import Spec
from herd.tokenizer.merges import merges_of_ranks
from herd.tokenizer.sentencepiece_file import BPE, Kind, SentencePieceModel
from herd.tokenizer.special_tokens import SpecialTokens
from herd.tokenizer.split_patterns import GGUF_IGNORES_MERGES, GGUF_PATTERNS

PREFIX = "tokenizer.ggml."


def gguf_keys_of_ranks(
    tokens: Sequence[bytes], roles: SpecialTokens, vocab_size: int
) -> dict[str, Any]:
    """Return the keys of byte-level BPE by ranks (`gpt2`, `llama-bpe`)."""
    written = [to_alphabet(token) for token in tokens]
    vocab = {token: rank for rank, token in enumerate(written)}
    merges = [f"{a} {b}" for a, b in merges_of_ranks(written)]
    return _byte_level_keys("llama-bpe", vocab, {}, merges, roles, vocab_size)


def gguf_keys_of_spec(spec: Spec, roles: SpecialTokens, vocab_size: int) -> dict[str, Any]:
    """Return the keys of a byte-level tokenizer.json. Raises UserError for any other kind."""
    model = spec["model"]
    pre = _gguf_pre(spec)
    if model["type"] != "BPE" or pre is None:
        raise UserError(
            "this tokenizer.json cuts text in a way that GGUF has no name for; "
            "export to the Hugging Face layout instead"
        )
    merges = [merge if isinstance(merge, str) else " ".join(merge) for merge in model["merges"]]
    added = spec.get("added_tokens") or []
    plain_added = {t["content"]: t["id"] for t in added if not t.get("special")}
    return _byte_level_keys(pre, model["vocab"], plain_added, merges, roles, vocab_size)


def gguf_keys_of_pieces(model: SentencePieceModel, roles: SpecialTokens) -> dict[str, Any]:
    """Return the keys of a SentencePiece vocabulary (`llama`)."""
    if model.model_type != BPE or model.squeeze_spaces:
        raise UserError("GGUF's `llama` vocabulary is SentencePiece BPE that keeps all spaces only")
    return {
        PREFIX + "model": "llama",
        PREFIX + "pre": "default",
        PREFIX + "tokens": [piece.text for piece in model.pieces],
        PREFIX + "scores": [piece.score for piece in model.pieces],
        PREFIX + "token_type": [int(piece.kind) for piece in model.pieces],
        PREFIX + "add_space_prefix": model.dummy_prefix,
        **_role_keys(roles),
    }


def _byte_level_keys(
    pre: str,
    vocab: dict[str, int],
    plain_added: dict[str, int],
    merges: list[str],
    roles: SpecialTokens,
    vocab_size: int,
) -> dict[str, Any]:
    names = {token_id: token for token, token_id in vocab.items()}
    kinds = dict.fromkeys(names, Kind.NORMAL)
    for added, kind in ((plain_added, Kind.USER_DEFINED), (roles.ids, Kind.CONTROL)):
        for name, token_id in added.items():
            names[token_id], kinds[token_id] = name, kind
    unused = {i: f"<|unused_{i}|>" for i in range(vocab_size) if i not in names}
    return {
        PREFIX + "model": "gpt2",
        PREFIX + "pre": pre,
        PREFIX + "tokens": [names.get(i) or unused[i] for i in range(vocab_size)],
        PREFIX + "token_type": [int(kinds.get(i, Kind.UNUSED)) for i in range(vocab_size)],
        PREFIX + "merges": merges,
        **_role_keys(roles),
    }


def _role_keys(roles: SpecialTokens) -> dict[str, Any]:
    keys: dict[str, Any] = {
        PREFIX + "bos_token_id": roles.bos_id,
        PREFIX + "eos_token_id": roles.eos_id,
        PREFIX + "padding_token_id": roles.pad_id,
        PREFIX + "eot_token_id": roles.ids.get("<|eot_id|>"),
        PREFIX + "eom_token_id": roles.ids.get("<|eom_id|>"),
        PREFIX + "add_bos_token": roles.adds_bos,
        PREFIX + "add_eos_token": False,
        "tokenizer.chat_template": roles.chat_template,
    }
    return {key: value for key, value in keys.items() if value is not None}


def _gguf_pre(spec: Spec) -> str | None:
    """Return llama.cpp's name for how the file cuts text, or None."""
    stages = _stages(spec.get("pre_tokenizer"))
    if spec.get("normalizer") is not None or stages is None:
        return None
    ignores = bool(spec["model"].get("ignore_merges"))
    for name, patterns in GGUF_PATTERNS.items():
        if patterns == stages and (name in GGUF_IGNORES_MERGES) == ignores:
            return "gpt-2" if name == "default" else name
    return None


def _stages(pre_tokenizer: Any) -> tuple[str, ...] | None:
    """The patterns that a pre-tokenizer applies in turn, or None if it does anything else."""
    parts = (pre_tokenizer or {}).get("pretokenizers", [pre_tokenizer or {}])
    patterns = []
    for part in parts:
        pattern = _stage(part)
        if pattern is None:
            return None
        patterns += [pattern] if pattern else []
    return tuple(patterns)


def _stage(part: dict[str, Any]) -> str | None:
    """One stage's pattern; "" for a stage that cuts nothing; None for one without a name."""
    kind = part.get("type")
    if kind == "Split" and part.get("behavior") == "Isolated" and not part.get("invert"):
        pattern = part["pattern"].get("Regex")
        return pattern if isinstance(pattern, str) else None
    if kind == "Digits" and part.get("individual_digits"):
        return GGUF_PATTERNS["smollm"][0]
    if kind == "ByteLevel" and not part.get("add_prefix_space"):
        return GGUF_PATTERNS["gpt2"][0] if part.get("use_regex", True) else ""
    return None
