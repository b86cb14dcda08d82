"""Open any tokenizer that Llama's world has: `load(path)`.

In: a file (tiktoken or SentencePiece .model, tokenizer.json, .gguf) or a directory that holds one.
Out: a Tokenizer. The content decides, not the name.
Never: the network; code out of a file.
"""

import json
from pathlib import Path
from typing import Any, BinaryIO

from herd.foundation import GGUF_MAGIC, UserError, collector_paused, format_bytes, read_gguf
from herd.tokenizer.byte_level import ByteLevelTokenizer
from herd.tokenizer.export import CONFIG_NAME, JSON_NAME, MODEL_NAME
from herd.tokenizer.gguf_vocabulary import tokenizer_of_gguf
from herd.tokenizer.sentence_piece import SentencePieceTokenizer
from herd.tokenizer.sentencepiece_file import Kind, SentencePieceModel, parse_sentencepiece
from herd.tokenizer.special_tokens import (
    LLAMA3_SPECIAL,
    SpecialTokens,
    numbered_from,
    roles_by_name,
)
from herd.tokenizer.tiktoken_file import looks_like_ranks, parse_ranks
from herd.tokenizer.tokenizer import Tokenizer
from herd.tokenizer.tokenizer_json import parse_spec, special_ids_of, tokenizer_of_spec

MAX_FILE_BYTES = 256 << 20  # the largest real ones have about 40 MB
MAGIC_BYTES = 64
TEMPLATE_NAME = "chat_template.jinja"
GENERATION_NAME = "generation_config.json"


def load(path: str | Path) -> Tokenizer:
    """Return the tokenizer in a file or directory.

    A tiktoken file gets Llama 3's 256 special tokens by rule (Llama 3.1 names), as it holds none.
    Raises UserError, one line, for whatever is missing, damaged or of unknown kind.
    """
    with collector_paused():  # a vocabulary is a few hundred thousand small objects
        return _load(Path(path))


def _load(path: Path) -> Tokenizer:
    if path.is_dir():
        return _load_directory(path)
    with _open(path) as file:
        beginning = file.read(MAGIC_BYTES)
    if beginning.startswith(GGUF_MAGIC):
        return tokenizer_of_gguf(read_gguf(path).metadata, str(path))
    content = _read(path)
    if content.lstrip()[:1] in (b"{", b"["):
        return _load_json(content, path)
    return _load_model(content, path)


def _load_directory(directory: Path) -> Tokenizer:
    """Hugging Face's layout, then Meta's, then a single GGUF file."""
    json_path, model_path = directory / JSON_NAME, directory / MODEL_NAME
    if json_path.is_file():
        return _load_pair(json_path, model_path)
    ggufs = sorted(directory.glob("*.gguf"))
    candidates = [model_path, directory / "original" / MODEL_NAME, *ggufs[:1]]
    found = next((path for path in candidates if path.is_file()), None)
    if found is None:
        raise UserError(f"{directory}: no {JSON_NAME}, {MODEL_NAME} or .gguf file in it")
    return _load(found)


def _load_pair(json_path: Path, model_path: Path) -> Tokenizer:
    """Prefer SentencePiece's own file beside a tokenizer.json that adds nothing to it."""
    content = _read(json_path)
    model_content = _read(model_path) if model_path.is_file() else b""
    if not model_content or looks_like_ranks(model_content):
        return _load_json(content, json_path)
    spec = parse_spec(content, str(json_path))
    model = parse_sentencepiece(model_content, model_path)
    known = {(piece.text, index) for index, piece in enumerate(model.pieces)}
    added = {(token["content"], token["id"]) for token in spec.get("added_tokens") or []}
    vocab = spec["model"]["vocab"]
    if added <= known and isinstance(vocab, dict) and vocab.items() <= known:
        return _sentence_piece(model, model_content, model_path)
    return _load_json(content, json_path)


def _load_json(content: bytes, path: Path) -> Tokenizer:
    spec = parse_spec(content, str(path))
    special = special_ids_of(spec)
    return tokenizer_of_spec(spec, roles_beside(path.parent, special), str(path))


def _load_model(content: bytes, path: Path) -> Tokenizer:
    if looks_like_ranks(content):
        tokens = parse_ranks(content, path)
        special = numbered_from(len(tokens), LLAMA3_SPECIAL)
        return ByteLevelTokenizer(tokens, roles_beside(path.parent, special))
    return _sentence_piece(parse_sentencepiece(content, path), content, path)


def _sentence_piece(model: SentencePieceModel, content: bytes, path: Path) -> Tokenizer:
    special = {
        piece.text: index
        for index, piece in enumerate(model.pieces)
        if piece.kind in (Kind.CONTROL, Kind.UNKNOWN)
    }
    stated = (model.bos_id, model.eos_id, model.pad_id)
    bos_id, eos_id, pad_id = (token_id if token_id >= 0 else None for token_id in stated)
    roles = roles_beside(path.parent, special, bos_id=bos_id, eos_id=eos_id, pad_id=pad_id)
    return SentencePieceTokenizer(model, roles, str(path), original=content)


def roles_beside(
    directory: Path,
    special: dict[str, int],
    *,
    bos_id: int | None = None,
    eos_id: int | None = None,
    pad_id: int | None = None,
) -> SpecialTokens:
    """Return the roles: as tokenizer_config.json and its neighbours say, else as given, else by name."""
    config = _settings(directory / CONFIG_NAME)
    generation = _settings(directory / GENERATION_NAME)
    stated = {
        key: special.get(_token_name(config.get(f"{key}_token")), -1)
        for key in ("bos", "eos", "pad")
    }
    adds_bos = config.get("add_bos_token")
    return roles_by_name(
        special,
        bos_id=stated["bos"] if stated["bos"] >= 0 else bos_id,
        eos_id=stated["eos"] if stated["eos"] >= 0 else eos_id,
        pad_id=stated["pad"] if stated["pad"] >= 0 else pad_id,
        stop_ids=_stop_ids(generation),
        adds_bos=adds_bos if isinstance(adds_bos, bool) else _default_adds_bos(special),
        chat_template=_chat_template(directory, config),
    )


def _default_adds_bos(special: dict[str, int]) -> bool | None:
    """ChatML models name a BOS but do not put it before a text."""
    return False if "<|im_start|>" in special else None


def _stop_ids(generation: dict[str, Any]) -> list[int]:
    value = generation.get("eos_token_id", [])
    ids = value if isinstance(value, list) else [value]
    return [token_id for token_id in ids if type(token_id) is int and token_id >= 0]


def _chat_template(directory: Path, config: dict[str, Any]) -> str | None:
    path = directory / TEMPLATE_NAME
    if path.is_file():
        return _read(path).decode("utf-8", errors="replace")
    template = config.get("chat_template")
    if isinstance(template, list):  # several by name
        named = [t for t in template if isinstance(t, dict) and t.get("name") == "default"]
        template = named[0].get("template") if named else None
    return template if isinstance(template, str) else None


def _token_name(value: Any) -> str:
    """A token is written as its name, or as an object with the name inside."""
    content = value.get("content") if isinstance(value, dict) else value
    return content if isinstance(content, str) else ""


def _settings(path: Path) -> dict[str, Any]:
    if not path.is_file():
        return {}
    try:
        value = json.loads(_read(path))
    except (ValueError, RecursionError) as error:
        raise UserError(f"{path}: not valid JSON ({error}); repair or remove it") from error
    if not isinstance(value, dict):
        raise UserError(f"{path}: not a JSON object; repair or remove it")
    return value


def _read(path: Path) -> bytes:
    with _open(path) as file:
        content = file.read(MAX_FILE_BYTES + 1)
    if not content.strip():
        raise UserError(f"{path}: the file is empty; get it again")
    if len(content) > MAX_FILE_BYTES:
        limit = format_bytes(MAX_FILE_BYTES)
        raise UserError(
            f"{path}: over {limit}, far larger than any tokenizer; is it a weights file?"
        )
    return content


def _open(path: Path) -> BinaryIO:
    if not path.is_file():  # also keeps us from waiting on a pipe
        raise UserError(f"{path}: no such file or directory")
    try:
        return path.open("rb")
    except OSError as error:
        raise UserError(f"{path}: cannot be read: {error.strerror or error}") from error
