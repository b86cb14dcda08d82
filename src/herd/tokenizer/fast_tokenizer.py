"""Any tokenizer.json, on Hugging Face's Rust `tokenizers`.

In: the JSON value and the roles. Out: a Tokenizer that gives that library's ids.
Never: special tokens out of plain text, which that library by itself would give.
For that the text is encoded by a copy of the file in which no special token can be reached:
each is renamed inside the model and struck from the list of added tokens, its id kept.
"""

import copy
import hashlib
import json
import re
from collections.abc import Callable
from functools import cached_property
from pathlib import Path
from typing import Any

import tokenizers

from herd.foundation import UserError
from herd.tokenizer.byte_alphabet import from_alphabet
from herd.tokenizer.export import save_spec
from herd.tokenizer.gguf_keys import gguf_keys_of_spec
from herd.tokenizer.json_spec import Spec
from herd.tokenizer.long_runs import cut_long_runs
from herd.tokenizer.special_tokens import SpecialTokens
from herd.tokenizer.tokenizer import Tokenizer

BYTE_TOKEN = re.compile(r"<0x([0-9A-Fa-f]{2})>\Z")
HIDDEN = " \ufdd0special {}"  # begins with a plain space, which no piece of Llama's holds
SENTINEL = "\ufdd1start\ufdd1"  # Unicode noncharacters: never part of an interchanged text
ANCHOR = "a"


class FastTokenizer(Tokenizer):
    """Hugging Face's `tokenizers` behind Herd's rules for special tokens."""

    def __init__(self, spec: Spec, roles: SpecialTokens, where: str) -> None:
        """Take the JSON value; `where` names it in messages."""
        self._spec = {**spec, "truncation": None, "padding": None}
        self._where = where
        self._plain = build(hide_special(self._spec, roles), where)
        super().__init__(roles, bytes_by_id(self._spec, self._vocab(roles), self._plain, where))
        self._prefix_at_start = self._starts_with_space(self._plain, ANCHOR, 0)
        first_special = next(iter(roles.ids), None)
        self._prefix_after_special = (
            self._prefix_at_start
            and first_special is not None
            and self._starts_with_space(self._full, first_special + ANCHOR, 1)
        )

    @property
    def prefix_at_start(self) -> bool:
        """Whether the file's rules put a space before a text (found by trying)."""
        return self._prefix_at_start

    @property
    def prefix_after_special(self) -> bool:
        """Whether they do so after a special token, too (found by trying)."""
        return self._prefix_after_special

    @cached_property
    def fingerprint(self) -> str:
        """SHA-256 of what the file says about ids."""
        says = {key: self._spec.get(key) for key in ("normalizer", "pre_tokenizer", "model")}
        added = sorted(self._spec.get("added_tokens") or [], key=lambda token: token["id"])
        content = json.dumps([says, added], sort_keys=True)
        return hashlib.sha256(content.encode()).hexdigest()

    def save(self, directory: str | Path) -> None:
        """Write tokenizer.json and tokenizer_config.json."""
        save_spec(self._spec, self.roles, Path(directory))

    def gguf_metadata(self) -> dict[str, Any]:
        """Keys of a `gpt2` vocabulary. Raises UserError if llama.cpp has no word for this kind."""
        return gguf_keys_of_spec(self._spec, self.roles, self.vocab_size)

    def _encode_plain(self, text: str) -> list[int]:
        pieces = cut_long_runs(text)
        ids = self._ids(self._plain, pieces[0])
        for piece in pieces[1:]:
            ids += self._encode_without_prefix(piece)
        return ids

    def _encode_plain_batch(self, texts: list[str]) -> list[list[int]]:
        if any(len(cut_long_runs(text)) > 1 for text in texts):
            return [self._encode_plain(text) for text in texts]
        encodings = self._plain.encode_batch_fast(texts, add_special_tokens=False)
        return [encoding.ids for encoding in encodings]

    def _encode_after_special(self, text: str) -> list[int]:
        same = self._prefix_after_special == self._prefix_at_start
        return self._encode_plain(text) if same else self._encode_without_prefix(text)

    def _encode_without_prefix(self, text: str) -> list[int]:
        """Encode as the continuation of something, which a sentinel before it stands for."""
        if not self._prefix_at_start or self._prefix_after_special or SENTINEL in text:
            return self._ids(self._plain, text)
        return self._ids(self._continuing, SENTINEL + text)[1:]

    @cached_property
    def _full(self) -> tokenizers.Tokenizer:
        """The file as it is; reading it again takes as long as the rest, so only where it is needed."""
        return build(self._spec, self._where)

    def _vocab(self, roles: SpecialTokens) -> dict[str, int]:
        """Return the id of each token by its own name."""
        if isinstance(self._spec["model"]["vocab"], list):  # where added tokens have no place
            vocab: dict[str, int] = self._full.get_vocab(with_added_tokens=True)
            return vocab
        shown = {HIDDEN.format(token_id): name for name, token_id in roles.ids.items()}
        plain = self._plain.get_vocab(with_added_tokens=True)
        return {shown.get(token, token): token_id for token, token_id in plain.items()}

    @cached_property
    def _continuing(self) -> tokenizers.Tokenizer:
        copied = tokenizers.Tokenizer.from_str(self._plain.to_str())
        copied.add_special_tokens([tokenizers.AddedToken(SENTINEL, normalized=False)])
        return copied

    def _starts_with_space(self, engine: tokenizers.Tokenizer, text: str, index: int) -> bool:
        ids = self._ids(engine, text)
        return len(ids) > index and self.token_bytes(ids[index]).startswith(b" ")

    @staticmethod
    def _ids(engine: tokenizers.Tokenizer, text: str) -> list[int]:
        ids: list[int] = engine.encode(text, add_special_tokens=False).ids
        return ids


def build(spec: Spec, where: str) -> tokenizers.Tokenizer:
    """Let the library read the JSON value. Raises UserError for whatever it does not accept."""
    try:
        return tokenizers.Tokenizer.from_str(json.dumps(spec))
    except (KeyboardInterrupt, SystemExit, MemoryError):
        raise
    except BaseException as error:  # a panic in Rust is no Exception
        reason = " ".join(str(error).split())[:200]
        raise UserError(f"{where}: not a usable tokenizer.json ({reason}); get it again") from error


def hide_special(spec: Spec, roles: SpecialTokens) -> Spec:
    """Return a copy of the file in which plain text cannot reach the special tokens."""
    hidden = {name: HIDDEN.format(token_id) for name, token_id in roles.ids.items()}
    added = spec.get("added_tokens") or []
    kept = [token for token in added if token["content"] not in hidden]
    model = copy.copy(spec["model"])
    model["vocab"] = _renamed(model["vocab"], hidden, added)
    if model.get("unk_token") in hidden:
        model["unk_token"] = hidden[model["unk_token"]]
    if model.get("merges"):
        model["merges"] = [m for m in model["merges"] if not _touches(merge_pair(m), hidden)]
    return {**spec, "model": model, "added_tokens": kept, "post_processor": None}


def merge_pair(merge: Any) -> tuple[str, str]:
    """Return the two halves of a merge, written either as "a b" or as ["a", "b"]."""
    first, second = merge.split(" ") if isinstance(merge, str) else merge
    return first, second


def bytes_by_id(
    spec: Spec, vocab: dict[str, int], engine: tokenizers.Tokenizer, where: str
) -> list[bytes | None]:
    """Return each id's bytes inside a text."""
    n_ids = max(vocab.values(), default=-1) + 1
    if not vocab or n_ids > 2 * len(vocab) + (1 << 20):
        raise UserError(f"{where}: ids up to {n_ids - 1:,} for {len(vocab):,} tokens; get it again")
    added = {token["content"] for token in spec.get("added_tokens") or []}
    spell = _speller(spec.get("decoder"), engine)
    table: list[bytes | None] = [None] * n_ids
    for token, token_id in vocab.items():
        table[token_id] = token.encode() if token in added else spell(token)
    return table


def _renamed(vocab: Any, hidden: dict[str, str], added: list[dict[str, Any]]) -> Any:
    if isinstance(vocab, list):  # Unigram: [[piece, score], ...]
        return [[hidden.get(piece, piece), score] for piece, score in vocab]
    renamed = {hidden.get(token, token): token_id for token, token_id in vocab.items()}
    # Added tokens move into the vocabulary, since the library numbers the others by its size.
    return renamed | {hidden.get(t["content"], t["content"]): t["id"] for t in added}


def _touches(pair: tuple[str, str], hidden: dict[str, str]) -> bool:
    first, second = pair
    return first in hidden or second in hidden or first + second in hidden


def _speller(decoder: Any, engine: tokenizers.Tokenizer) -> Callable[[str], bytes]:
    """Choose how tokens are spelt from what the file's decoder consists of."""
    parts = decoder.get("decoders", [decoder]) if decoder else []
    kinds = {part["type"] for part in parts}
    if "ByteLevel" in kinds:
        return _spell_byte_level
    spell_in_context = _context_speller(engine)
    if "ByteFallback" not in kinds:
        return spell_in_context
    return lambda token: _spell_byte(token) or spell_in_context(token)


def _spell_byte_level(token: str) -> bytes:
    spelt = from_alphabet(token)
    return token.encode() if spelt is None else spelt


def _spell_byte(token: str) -> bytes | None:
    match = BYTE_TOKEN.match(token)
    return bytes([int(match[1], 16)]) if match else None


def _context_speller(engine: tokenizers.Tokenizer) -> Callable[[str], bytes]:
    """What a token adds behind another one: the way a decoder of unknown kind shows its spaces."""
    if engine.decoder is None:
        return lambda token: (" " + token).encode()
    alone = engine.decoder.decode([ANCHOR])

    def spell(token: str) -> bytes:
        both: str = engine.decoder.decode([ANCHOR, token])
        return (both[len(alone) :] if both.startswith(alone) else token).encode()

    return spell
