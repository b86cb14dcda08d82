"""Llama 2's tokenizer: SentencePiece BPE with byte fallback, every digit a token.

In: pieces with scores. Out: a Tokenizer on Google's C++ library.
Never: files (`sentencepiece_file.py`).
Differs from that library in one thing: the character U+2581, by which it writes a space and which
it therefore turns into one, is spelt by its bytes, so that decoding gives every text back.
"""

import hashlib
import re
import struct
from functools import cached_property
from pathlib import Path
from typing import Any

import sentencepiece

from herd.foundation import UserError, available_cores
from herd.tokenizer.export import save_model_bytes, save_spec
from herd.tokenizer.gguf_keys import gguf_keys_of_pieces
from herd.tokenizer.json_spec import SPACE_MARK, Spec, sentencepiece_spec
from herd.tokenizer.sentencepiece_file import (
    BPE,
    Kind,
    Piece,
    SentencePieceModel,
    byte_piece,
    check_pieces,
    format_sentencepiece,
)
from herd.tokenizer.special_tokens import SpecialTokens
from herd.tokenizer.tokenizer import Tokenizer

SPACES = re.compile(" +")


class SentencePieceTokenizer(Tokenizer):
    """Llama 2's tokenizer over any vocabulary of scored pieces."""

    def __init__(
        self,
        model: SentencePieceModel,
        roles: SpecialTokens,
        where: str,
        *,
        original: bytes | None = None,
    ) -> None:
        """Take the model, and the bytes of the file it came from if there was one."""
        self._model = check_pieces(model, where)
        self._original = original
        super().__init__(roles, [_spell(piece) for piece in model.pieces])
        self._engine = _open_engine(model, where)
        names = {piece.text: i for i, piece in enumerate(model.pieces)}
        self._mark_ids = (
            [names[byte_piece(b)] for b in SPACE_MARK.encode()] if (model.byte_fallback) else []
        )

    @property
    def prefix_at_start(self) -> bool:
        """Llama 2 puts a space before every text."""
        return self._model.dummy_prefix

    @property
    def prefix_after_special(self) -> bool:
        """And before the text after each special token."""
        return self._model.dummy_prefix

    @cached_property
    def fingerprint(self) -> str:
        """SHA-256 of pieces, scores, kinds, settings and special tokens."""
        model = self._model
        digest = hashlib.sha256(repr((model.model_type, model.dummy_prefix)).encode())
        for piece in model.pieces:
            text = piece.text.encode()
            digest.update(struct.pack("<IfB", len(text), piece.score, piece.kind) + text)
        digest.update(repr((model.squeeze_spaces, sorted(self.special_tokens.items()))).encode())
        return digest.hexdigest()

    def save(self, directory: str | Path) -> None:
        """Write tokenizer.model (the original's bytes), tokenizer.json and its config."""
        directory = Path(directory)
        save_model_bytes(self._original or format_sentencepiece(self._model), directory)
        if self._model.model_type == BPE:
            save_spec(self._spec(), self.roles, directory)

    def gguf_metadata(self) -> dict[str, Any]:
        """Keys of a `llama` vocabulary."""
        return gguf_keys_of_pieces(self._model, self.roles)

    def _encode_plain(self, text: str) -> list[int]:
        return self._encode(text, is_start=self._model.dummy_prefix)

    def _encode_after_special(self, text: str) -> list[int]:
        return self._encode_plain(text)

    def _encode_plain_batch(self, texts: list[str]) -> list[list[int]]:
        if self._model.squeeze_spaces or any(SPACE_MARK in text for text in texts):
            return [self._encode_plain(text) for text in texts]
        prefix = " " if self._model.dummy_prefix else ""
        prefixed = [prefix + text if text else "" for text in texts]
        batch: list[list[int]] = self._engine.encode(prefixed, num_threads=available_cores())
        return batch

    def _encode(self, text: str, *, is_start: bool) -> list[int]:
        if self._model.squeeze_spaces:
            text = SPACES.sub(" ", text.strip(" "))
        if not text:
            return []
        text = " " + text if is_start else text
        if SPACE_MARK not in text or not self._mark_ids:
            ids: list[int] = self._engine.encode(text)
            return ids
        first, *rest = text.split(SPACE_MARK)
        ids = self._engine.encode(first)
        for part in rest:
            ids += [*self._mark_ids, *self._engine.encode(part)]
        return ids

    def _spec(self) -> Spec:
        pieces = self._model.pieces
        return sentencepiece_spec(
            {piece.text: i for i, piece in enumerate(pieces)},
            merges_of_pieces(pieces),
            unknown=next(piece.text for piece in pieces if piece.kind is Kind.UNKNOWN),
            byte_fallback=self._model.byte_fallback,
            dummy_prefix=self._model.dummy_prefix,
            roles=self.roles,
            plain_added={p.text: i for i, p in enumerate(pieces) if p.kind is Kind.USER_DEFINED},
        )


def merges_of_pieces(pieces: tuple[Piece, ...]) -> list[tuple[str, str]]:
    """Return all pairs of pieces whose union is a piece, best score first.

    Source: transformers' converter of Llama's SentencePiece models.
    """
    normal = {piece.text: i for i, piece in enumerate(pieces) if piece.kind is Kind.NORMAL}
    found = []
    for text, index in normal.items():
        halves = [(text[:cut], text[cut:]) for cut in range(1, len(text))]
        known = [(a, b) for a, b in halves if a in normal and b in normal]
        known.sort(key=lambda pair: (normal[pair[0]], normal[pair[1]]))
        found += [(pieces[index].score, a, b) for a, b in known]
    found.sort(key=lambda merge: (merge[0], len(merge[1]), len(merge[2])), reverse=True)
    return [(a, b) for _, a, b in found]


def _open_engine(model: SentencePieceModel, where: str) -> Any:
    """Open the library on a model without a prefix, which `_encode` puts itself."""
    plain = SentencePieceModel(pieces=model.pieces, model_type=model.model_type, dummy_prefix=False)
    try:
        return sentencepiece.SentencePieceProcessor(model_proto=format_sentencepiece(plain))
    except (RuntimeError, ValueError) as error:
        reason = " ".join(str(error).split())[:200]
        raise UserError(f"{where}: SentencePiece refuses this vocabulary ({reason})") from error


def _spell(piece: Piece) -> bytes:
    if piece.kind is Kind.BYTE:
        return bytes([int(piece.text[3:5], 16)])
    if piece.kind in (Kind.NORMAL, Kind.USER_DEFINED, Kind.UNUSED):
        return piece.text.replace(SPACE_MARK, " ").encode()
    return piece.text.encode()
