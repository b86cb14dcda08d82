"""SentencePiece's .model file: a protocol buffer, of which a tokenizer needs three messages.

In: its bytes, or pieces. Out: the other, with every length checked before it is believed.
Never: encoding. Fields that Herd does not know are passed over.
Source: `sentencepiece_model.proto` (field numbers below); protocol buffers' wire format.
"""

import math
import struct
from collections.abc import Iterator
from dataclasses import dataclass
from enum import IntEnum
from pathlib import Path

from herd.foundation import UserError

VARINT, FIXED64, BYTES, FIXED32 = 0, 1, 2, 5  # wire types
MODEL_PIECE, MODEL_TRAINER, MODEL_NORMALIZER = 1, 2, 3
PIECE_TEXT, PIECE_SCORE, PIECE_KIND = 1, 2, 3
TRAINER_MODEL_TYPE, TRAINER_SUFFIX, TRAINER_BYTE_FALLBACK = 3, 24, 35
TRAINER_UNK, TRAINER_BOS, TRAINER_EOS, TRAINER_PAD = 40, 41, 42, 43
NORMALIZER_NAME, NORMALIZER_MAP, NORMALIZER_PREFIX = 1, 2, 3
NORMALIZER_SQUEEZE, NORMALIZER_ESCAPE = 4, 5
UNIGRAM, BPE = 1, 2
MAX_PIECE_CHARS = 2048  # splitting longer ones takes quadratic time; real ones have 16 or so
MAX_VARINT_BYTES = 10
Value = int | bytes


class Kind(IntEnum):
    """What a piece is; GGUF uses the same numbers."""

    NORMAL = 1
    UNKNOWN = 2
    CONTROL = 3
    USER_DEFINED = 4
    UNUSED = 5
    BYTE = 6


@dataclass(frozen=True, slots=True)
class Piece:
    """One entry of the vocabulary; its place in the list is its id."""

    text: str
    score: float
    kind: Kind


@dataclass(frozen=True, kw_only=True, slots=True)
class SentencePieceModel:
    """The vocabulary and the few settings that change ids."""

    pieces: tuple[Piece, ...]
    model_type: int = BPE
    dummy_prefix: bool = True
    squeeze_spaces: bool = False
    bos_id: int = 1
    eos_id: int = 2
    pad_id: int = -1

    @property
    def byte_fallback(self) -> bool:
        """Whether unknown characters are spelt by byte pieces."""
        return any(piece.kind is Kind.BYTE for piece in self.pieces)


def parse_sentencepiece(content: bytes, path: Path | str) -> SentencePieceModel:
    """Read a .model file. Raises UserError for a damaged one or a kind that Herd cannot honour."""
    where = str(path)
    pieces: list[Piece] = []
    trainer: dict[int, Value] = {}
    normalizer: dict[int, Value] = {}
    for number, value in _fields(content, where):
        if number == MODEL_PIECE:
            pieces.append(_parse_piece(value, len(pieces), where))
        elif number == MODEL_TRAINER:
            trainer = dict(_fields(_as_bytes(value, where), where))
        elif number == MODEL_NORMALIZER:
            normalizer = dict(_fields(_as_bytes(value, where), where))
    _refuse_unsupported(trainer, normalizer, where)
    return check_pieces(
        SentencePieceModel(
            pieces=tuple(pieces),
            model_type=_number(trainer, TRAINER_MODEL_TYPE, UNIGRAM),
            dummy_prefix=bool(_number(normalizer, NORMALIZER_PREFIX, 1)),
            squeeze_spaces=bool(_number(normalizer, NORMALIZER_SQUEEZE, 1)),
            bos_id=_number(trainer, TRAINER_BOS, 1),
            eos_id=_number(trainer, TRAINER_EOS, 2),
            pad_id=_number(trainer, TRAINER_PAD, -1),
        ),
        where,
    )


def check_pieces(model: SentencePieceModel, where: str) -> SentencePieceModel:
    """Return the model if its vocabulary is sound, else raise UserError."""
    texts = [piece.text for piece in model.pieces]
    if len(set(texts)) != len(texts):
        raise UserError(f"{where}: the vocabulary holds one piece twice; get the file again")
    if sum(piece.kind is Kind.UNKNOWN for piece in model.pieces) != 1:
        raise UserError(f"{where}: a SentencePiece vocabulary needs exactly one unknown piece")
    for number, piece in enumerate(model.pieces):
        if not 0 < len(piece.text) <= MAX_PIECE_CHARS or not math.isfinite(piece.score):
            raise UserError(f"{where}: piece {number} is empty, too long, or has no finite score")
    n_bytes = sum(piece.kind is Kind.BYTE for piece in model.pieces)
    if n_bytes not in (0, 256) or not {byte_piece(b) for b in range(256 if n_bytes else 0)} <= {
        piece.text for piece in model.pieces if piece.kind is Kind.BYTE
    }:
        raise UserError(f"{where}: {n_bytes} byte pieces where 256 or none are due; get it again")
    return model


def format_sentencepiece(model: SentencePieceModel) -> bytes:
    """Write a .model file that the SentencePiece library opens."""
    unknown = next(i for i, piece in enumerate(model.pieces) if piece.kind is Kind.UNKNOWN)
    trainer = {
        TRAINER_MODEL_TYPE: model.model_type,
        TRAINER_BYTE_FALLBACK: int(model.byte_fallback),
        TRAINER_UNK: unknown,
        TRAINER_BOS: model.bos_id,
        TRAINER_EOS: model.eos_id,
        TRAINER_PAD: model.pad_id,
    }
    normalizer = _bytes_field(NORMALIZER_NAME, b"identity") + _varint_fields(
        {
            NORMALIZER_PREFIX: int(model.dummy_prefix),
            NORMALIZER_SQUEEZE: int(model.squeeze_spaces),
            NORMALIZER_ESCAPE: 1,
        }
    )
    pieces = b"".join(_bytes_field(MODEL_PIECE, _format_piece(piece)) for piece in model.pieces)
    return (
        pieces
        + _bytes_field(MODEL_TRAINER, _varint_fields(trainer))
        + _bytes_field(MODEL_NORMALIZER, normalizer)
    )


def byte_piece(byte: int) -> str:
    """Return the name of the piece that stands for one byte."""
    return f"<0x{byte:02X}>"


def _refuse_unsupported(
    trainer: dict[int, Value], normalizer: dict[int, Value], where: str
) -> None:
    if _number(trainer, TRAINER_MODEL_TYPE, UNIGRAM) not in (UNIGRAM, BPE):
        raise UserError(f"{where}: a SentencePiece model of words or characters; Herd reads BPE")
    if normalizer.get(NORMALIZER_MAP) or not _number(normalizer, NORMALIZER_ESCAPE, 1):
        raise UserError(
            f"{where}: this SentencePiece model rewrites text before it cuts it, which Llama's do "
            "not; convert it to tokenizer.json with transformers"
        )
    if _number(trainer, TRAINER_SUFFIX, 0):
        raise UserError(f"{where}: spaces as suffixes are not supported; convert to tokenizer.json")


def _parse_piece(value: Value, index: int, where: str) -> Piece:
    fields = dict(_fields(_as_bytes(value, where), where))
    try:
        text = _as_bytes(fields.get(PIECE_TEXT, b""), where).decode("utf-8")
        score = struct.unpack("<f", _as_bytes(fields.get(PIECE_SCORE, bytes(4)), where))[0]
        return Piece(text, score, Kind(_number(fields, PIECE_KIND, 1)))
    except (ValueError, struct.error) as error:
        raise UserError(f"{where}: piece {index} is malformed; get the file again") from error


def _fields(content: bytes, where: str) -> Iterator[tuple[int, Value]]:
    """Yield (field number, value); fixed-width values come as their bytes."""
    position = 0
    while position < len(content):
        key, position = _read_varint(content, position, where)
        wire_type = key & 7
        if wire_type == VARINT:
            value, position = _read_varint(content, position, where)
            yield key >> 3, value
            continue
        if wire_type == BYTES:
            n_bytes, position = _read_varint(content, position, where)
        elif wire_type in (FIXED32, FIXED64):
            n_bytes = 4 if wire_type == FIXED32 else 8
        else:
            raise _damaged(where, position)
        if n_bytes > len(content) - position:
            raise _damaged(where, position)
        yield key >> 3, content[position : position + n_bytes]
        position += n_bytes


def _read_varint(content: bytes, position: int, where: str) -> tuple[int, int]:
    value = 0
    for index, byte in enumerate(content[position : position + MAX_VARINT_BYTES]):
        value |= (byte & 0x7F) << (7 * index)
        if byte < 0x80:
            return value, position + index + 1
    raise _damaged(where, position)


def _damaged(where: str, position: int) -> UserError:
    return UserError(
        f"{where}: neither text nor a whole SentencePiece model (byte {position:,} makes no "
        "sense); the file is damaged or no tokenizer, get it again"
    )


def _as_bytes(value: Value, where: str) -> bytes:
    if isinstance(value, int):
        raise _damaged(where, 0)
    return value


def _number(fields: dict[int, Value], number: int, default: int) -> int:
    """A varint as a signed 32-bit number."""
    value = fields.get(number, default)
    if isinstance(value, bytes):
        return default
    low = value & 0xFFFFFFFF
    return low - (1 << 32) if low >= 1 << 31 else low


def _format_piece(piece: Piece) -> bytes:
    score = _varint(PIECE_SCORE << 3 | FIXED32) + struct.pack("<f", piece.score)
    text = _bytes_field(PIECE_TEXT, piece.text.encode())
    return text + score + _varint_fields({PIECE_KIND: int(piece.kind)})


def _varint_fields(values: dict[int, int]) -> bytes:
    return b"".join(
        _varint(number << 3 | VARINT) + _varint(value & (1 << 64) - 1)
        for number, value in values.items()
    )


def _bytes_field(number: int, value: bytes) -> bytes:
    return _varint(number << 3 | BYTES) + _varint(len(value)) + value


def _varint(value: int) -> bytes:
    out = bytearray()
    while value > 0x7F:
        out.append(value & 0x7F | 0x80)
        value >>= 7
    out.append(value)
    return bytes(out)
