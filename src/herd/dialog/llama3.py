"""The Llama 3 chat format (after Meta's `llama-models`, `chat_format.py`).

In: a checked dialog. Out: pieces:
`<|begin_of_text|>`, then per message `<|start_header_id|>role<|end_header_id|>\\n\\ncontent<|eot_id|>`.
Never: the tool preambles of Llama 3.1 (dates, `Environment: ipython`); a model whose own template
writes them is served by that template.
"""

from __future__ import annotations

from dataclasses import dataclass

from herd.dialog.message import Dialog
from herd.dialog.piece import Piece

BEGIN = "<|begin_of_text|>"
START_HEADER, END_HEADER = "<|start_header_id|>", "<|end_header_id|>"
END_OF_TURN, END_OF_MESSAGE = "<|eot_id|>", "<|eom_id|>"


@dataclass(frozen=True, slots=True)
class Llama3Format:
    """Renders dialogs as Llama 3 was tuned on them; an answer is trained with its end of turn."""

    name: str = "llama3"
    end_tokens: tuple[str, ...] = (END_OF_TURN, END_OF_MESSAGE)

    def pieces(self, dialog: Dialog, *, prompt: bool) -> list[Piece]:
        """Render; `prompt` adds the header of the answer that the model is to write."""
        pieces = [Piece(BEGIN, special=True)]
        for message in dialog:
            trained = message.role == "assistant"
            role = "ipython" if message.role == "tool" else message.role
            pieces += _header(role)
            pieces.append(Piece(message.content.strip(), trained=trained))
            pieces.append(Piece(END_OF_TURN, special=True, trained=trained))
        return pieces + _header("assistant") if prompt else pieces


def _header(role: str) -> list[Piece]:
    return [
        Piece(START_HEADER, special=True),
        Piece(role),
        Piece(END_HEADER, special=True),
        Piece("\n\n"),
    ]
