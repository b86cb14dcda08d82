"""Pieces: the common form into which every chat format renders a dialog.

In: a dialog as a sequence of special tokens and stretches of plain text, each trained on or not.
Out: token ids and, beside each, whether it counts in the loss.
Never: a special token out of plain text. Only a piece marked `special` becomes one, so nothing that
a user writes can open a turn, close one, or change roles.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from itertools import groupby

from herd.foundation import UserError
from herd.tokenizer import Tokenizer


@dataclass(frozen=True, slots=True)
class Piece:
    """A special token (by name) or a stretch of plain text; `trained` pieces count in the loss."""

    text: str
    special: bool = False
    trained: bool = False


def encode_pieces(pieces: Iterable[Piece], tokenizer: Tokenizer) -> tuple[list[int], list[bool]]:
    """Return ids and loss mask, of equal length.

    Neighbouring stretches of text are tokenized together, as the chat templates of other software
    do after rendering to one string. Raises UserError when the tokenizer lacks a special token.
    """
    ids: list[int] = []
    mask: list[bool] = []
    for is_special, group in groupby(pieces, key=lambda piece: piece.special):
        encode_group = _encode_special if is_special else _encode_text
        for group_ids, trained in encode_group(list(group), tokenizer):
            ids += group_ids
            mask += [trained] * len(group_ids)
    return ids, mask


def merge_text(pieces: Iterable[Piece]) -> list[Piece]:
    """Join neighbouring text pieces that agree on `trained`; drop empty ones."""
    merged: list[Piece] = []
    for piece in pieces:
        if not piece.text:
            continue
        last = merged[-1] if merged else None
        if last and not last.special and not piece.special and last.trained == piece.trained:
            merged[-1] = Piece(last.text + piece.text, trained=piece.trained)
        else:
            merged.append(piece)
    return merged


def _encode_special(
    group: Sequence[Piece], tokenizer: Tokenizer
) -> Iterator[tuple[list[int], bool]]:
    for piece in group:
        token_id = tokenizer.special_tokens.get(piece.text)
        if token_id is None:
            raise UserError(
                f"the tokenizer has no special token {piece.text!r}, which this chat format needs: "
                "choose the format that the model was tuned with"
            )
        yield [token_id], piece.trained


def _encode_text(group: Sequence[Piece], tokenizer: Tokenizer) -> Iterator[tuple[list[int], bool]]:
    """Encode one run of text so that a cut between trained and untrained stays a cut between ids.

    The run is encoded as a whole as long as its beginning keeps the ids it has alone. Where it
    would not (the answer opens with a line break that merges with the one before it), it is cut:
    in training the answer must follow the very ids that stand before it when the model generates.
    """
    start = ""
    ids: list[int] = []
    for piece in merge_text(group):
        whole = tokenizer.encode(start + piece.text)
        if whole[: len(ids)] == ids:
            yield whole[len(ids) :], piece.trained
            start, ids = start + piece.text, whole
        else:
            start, ids = piece.text, tokenizer.encode(piece.text)
            yield ids, piece.trained
