"""The ChatML format: `<|im_start|>role\\ncontent<|im_end|>\\n` per message.

In: a checked dialog. Out: pieces. Models tuned on it differ in one thing, the system message they
assume when none is given; `default_system` holds it.
Never: a beginning-of-text token; ChatML has none.
"""

from __future__ import annotations

from dataclasses import dataclass

from herd.dialog.message import Dialog, Message
from herd.dialog.piece import Piece

START, END = "<|im_start|>", "<|im_end|>"


@dataclass(frozen=True, slots=True)
class ChatMLFormat:
    """Renders dialogs as ChatML; `default_system` stands in when a dialog has no system message."""

    default_system: str | None = None
    name: str = "chatml"
    end_tokens: tuple[str, ...] = (END,)

    def pieces(self, dialog: Dialog, *, prompt: bool) -> list[Piece]:
        """Render; `prompt` adds the header of the answer that the model is to write."""
        if self.default_system is not None and dialog[0].role != "system":
            dialog = (Message("system", self.default_system), *dialog)
        pieces: list[Piece] = []
        for message in dialog:
            trained = message.role == "assistant"
            pieces += [
                *_header(message.role),
                Piece(message.content, trained=trained),
                Piece(END, special=True, trained=trained),
                Piece("\n"),
            ]
        return pieces + _header("assistant") if prompt else pieces


def _header(role: str) -> list[Piece]:
    return [Piece(START, special=True), Piece(f"{role}\n")]
