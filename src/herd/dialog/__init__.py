"""Dialogs as tokens, in the formats that Llama models were tuned on.

In: messages with roles. Out: token ids and loss masks. Never: generation.
"""

from herd.dialog.chatml import ChatMLFormat
from herd.dialog.detect import DialogFormat, detect_format, format_named, template_format
from herd.dialog.encode import encode_dialog, encode_prompt, end_ids
from herd.dialog.llama2 import Llama2Format
from herd.dialog.llama3 import Llama3Format
from herd.dialog.message import Dialog, Message, as_dialog
from herd.dialog.piece import Piece, encode_pieces
from herd.dialog.template import TemplateFormat

__all__ = [
    "ChatMLFormat",
    "Dialog",
    "DialogFormat",
    "Llama2Format",
    "Llama3Format",
    "Message",
    "Piece",
    "TemplateFormat",
    "as_dialog",
    "detect_format",
    "encode_dialog",
    "encode_pieces",
    "encode_prompt",
    "end_ids",
    "format_named",
    "template_format",
]
