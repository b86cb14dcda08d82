"""Dialogs to token ids: for generation, and for training with a loss mask.

In: messages and a tokenizer. Out: ids; for training also which of them count in the loss.
Never: a choice of format that the model did not make, unless the caller names one.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping

from herd.dialog.detect import DialogFormat, detect_format
from herd.dialog.message import Message, as_dialog
from herd.dialog.piece import encode_pieces
from herd.foundation import UserError
from herd.tokenizer import Tokenizer


def encode_prompt(
    messages: Iterable[Message | Mapping[str, str]],
    tokenizer: Tokenizer,
    format: DialogFormat | None = None,
) -> list[int]:
    """Return the ids after which the model writes the next answer.

    `format` None means the tokenizer's own. Raises UserError for a malformed dialog, and for one
    that ends with an answer, which leaves nothing to say.
    """
    dialog = as_dialog(messages)
    if dialog[-1].role not in ("user", "tool"):
        raise UserError(
            f"the last message is from {dialog[-1].role!r}: the dialog must end with a user or "
            "tool message for the model to answer"
        )
    chosen = format or detect_format(tokenizer)
    return encode_pieces(chosen.pieces(dialog, prompt=True), tokenizer)[0]


def encode_dialog(
    messages: Iterable[Message | Mapping[str, str]],
    tokenizer: Tokenizer,
    format: DialogFormat | None = None,
) -> tuple[list[int], list[bool]]:
    """Return ids and loss mask of a whole dialog.

    `mask[i]` says that `ids[i]` is predicted in training: the answers and the tokens that end them,
    never headers, users, systems or tools. What stands before an answer equals `encode_prompt` of
    the messages before it. `format` None means the tokenizer's own.
    """
    dialog = as_dialog(messages)
    chosen = format or detect_format(tokenizer)
    return encode_pieces(chosen.pieces(dialog, prompt=False), tokenizer)


def end_ids(tokenizer: Tokenizer, format: DialogFormat) -> frozenset[int]:
    """Return the ids that end an answer: the tokenizer's stop ids and the format's end tokens."""
    special = tokenizer.special_tokens
    return tokenizer.stop_ids | {special[name] for name in format.end_tokens if name in special}
