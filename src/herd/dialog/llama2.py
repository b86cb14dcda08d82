"""The Llama 2 chat format (after Meta's `llama`, `generation.py`).

In: a checked dialog. Out: pieces. Each finished pair is `<s>[INST] user [/INST] answer </s>`, the
system message is folded into the first user turn between <<SYS>> tags.
Never: content that holds one of the format's own tags. They are plain text to the tokenizer, so
unlike special tokens they could be forged; the reference refuses them and so does Herd.
"""

from __future__ import annotations

from dataclasses import dataclass

from herd.dialog.message import Dialog, Message
from herd.dialog.piece import Piece
from herd.foundation import UserError

BEGIN, END = "<s>", "</s>"
TAGS = ("[INST]", "[/INST]", "<<SYS>>", "<</SYS>>")


@dataclass(frozen=True, slots=True)
class Llama2Format:
    """Renders dialogs as Llama 2-Chat was tuned on them."""

    name: str = "llama2"
    end_tokens: tuple[str, ...] = (END,)

    def pieces(self, dialog: Dialog, *, prompt: bool) -> list[Piece]:
        """Render; with `prompt` or without, an open last user turn is where generation starts."""
        for i, message in enumerate(dialog):
            _refuse(message, i)
        system, turns = _split_system(dialog)
        pieces: list[Piece] = []
        for i, message in enumerate(turns):
            text = (system + message.content if i == 0 else message.content).strip()
            if message.role == "user":
                pieces += [Piece(BEGIN, special=True), Piece(f"[INST] {text} [/INST]")]
            else:
                pieces += [Piece(f" {text} ", trained=True), Piece(END, special=True, trained=True)]
        return pieces


def _refuse(message: Message, position: int) -> None:
    if message.role == "tool":
        raise UserError(f"message {position}: the Llama 2 chat format has no tool messages")
    found = next((tag for tag in TAGS if tag in message.content), None)
    if found:
        raise UserError(
            f"message {position}: the Llama 2 chat format refuses content that holds its tag "
            f"{found!r}: remove or rewrite the tag"
        )


def _split_system(dialog: Dialog) -> tuple[str, Dialog]:
    """Return the folded system text (empty when there is none) and the turns after it."""
    if dialog[0].role != "system":
        return "", dialog
    if len(dialog) == 1:
        raise UserError(
            "the Llama 2 chat format folds the system message into a user turn: add one"
        )
    return f"<<SYS>>\n{dialog[0].content}\n<</SYS>>\n\n", dialog[1:]
