"""Which chat format a tokenizer calls for.

In: a tokenizer (its chat template and special tokens). Out: a `DialogFormat`.
Never: a guess that overrides the model's own template. A native format is taken only when it
renders the same text as the template on probe dialogs; otherwise the template itself is used.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from typing import Protocol

from herd.dialog.chatml import ChatMLFormat
from herd.dialog.llama2 import Llama2Format
from herd.dialog.llama3 import Llama3Format
from herd.dialog.message import Dialog, Message, as_dialog
from herd.dialog.piece import Piece, merge_text
from herd.dialog.template import TemplateFormat
from herd.foundation import UserError
from herd.tokenizer import Tokenizer


class DialogFormat(Protocol):
    """What renders a dialog into pieces."""

    @property
    def name(self) -> str:
        """Return the format's name."""

    @property
    def end_tokens(self) -> tuple[str, ...]:
        """Return the special tokens with which an answer ends."""

    def pieces(self, dialog: Dialog, *, prompt: bool) -> list[Piece]:
        """Render; `prompt` adds the header of the answer that the model is to write."""


NATIVE_FORMATS: tuple[DialogFormat, ...] = (Llama3Format(), Llama2Format(), ChatMLFormat())
# With white space around them, which some templates strip and others keep.
_QUESTION, _ANSWER = Message("user", " Is 2 < 3?\n"), Message("assistant", "\nYes: 3 - 2 = 1. ")
_PROBES: tuple[tuple[Dialog, bool], ...] = (
    ((_QUESTION,), True),
    ((Message("system", " Be\nbrief. "), _QUESTION), True),
    ((_QUESTION, _ANSWER, _QUESTION), True),
    ((_QUESTION, _ANSWER), False),
)


def detect_format(tokenizer: Tokenizer) -> DialogFormat:
    """Return the format of the chat template, or else of the special tokens.

    Special tokens alone do not say that a model was tuned for dialog, only which format fits its
    vocabulary. Raises UserError when neither decides.
    """
    if tokenizer.chat_template:
        return _format_of_template(template_format(tokenizer))
    for candidate in NATIVE_FORMATS:
        needed = {p.text for p in candidate.pieces(*_PROBES[-1][:1], prompt=False) if p.special}
        if needed <= set(tokenizer.special_tokens):
            return candidate
    raise UserError(
        "the tokenizer has neither a chat template nor the special tokens of a known chat format: "
        "a base model continues text, see `herd generate`"
    )


def format_named(name: str) -> DialogFormat:
    """Return a native format by name: llama2, llama3 or chatml. Raises UserError otherwise."""
    for candidate in NATIVE_FORMATS:
        if candidate.name == name:
            return candidate
    names = ", ".join(candidate.name for candidate in NATIVE_FORMATS)
    raise UserError(f"unknown chat format {name!r}: use one of {names}")


def template_format(tokenizer: Tokenizer) -> TemplateFormat:
    """Return the format that renders the tokenizer's own chat template."""
    if not tokenizer.chat_template:
        raise UserError("the tokenizer has no chat template: name a chat format")
    ids = {"bos_token": tokenizer.bos_id, "eos_token": tokenizer.eos_id}
    names = {token_id: name for name, token_id in tokenizer.special_tokens.items()}
    variables = {key: names[i] for key, i in ids.items() if i is not None and i in names}
    return TemplateFormat(
        source=tokenizer.chat_template,
        special_tokens=frozenset(tokenizer.special_tokens),
        variables=variables,
    )


def _format_of_template(template: TemplateFormat) -> DialogFormat:
    for candidate in (*NATIVE_FORMATS, *_chatml_with_default(template)):
        if _agrees(candidate, template):
            return candidate
    return template


def _chatml_with_default(template: TemplateFormat) -> Iterator[DialogFormat]:
    """Read off the system message that a ChatML template adds of its own accord."""
    try:
        text = "".join(piece.text for piece in template.pieces((_QUESTION,), prompt=False))
    except UserError:
        return
    found = re.match(r"<\|im_start\|>system\n(.*?)<\|im_end\|>\n<\|im_start\|>user\n", text, re.S)
    if found:
        yield ChatMLFormat(default_system=found[1])


def _agrees(candidate: DialogFormat, template: TemplateFormat) -> bool:
    """Tell whether both render every probe to the same text and special tokens."""
    try:
        return all(
            _untrained(candidate.pieces(as_dialog(dialog), prompt=prompt))
            == _untrained(template.pieces(dialog, prompt=prompt))
            for dialog, prompt in _PROBES
        )
    except UserError:
        return False


def _untrained(pieces: list[Piece]) -> list[Piece]:
    return merge_text(Piece(piece.text, piece.special) for piece in pieces)
