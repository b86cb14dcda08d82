"""A model's own Jinja chat template, for the models whose format Herd does not know by heart.

In: template source and the names of the special tokens. Out: the same pieces as the native formats.
Never: code. Templates come from strangers, so they run in jinja2's immutable sandbox; and dialogs
come from strangers, so no special token can arise from what a message holds.

How the second is kept: a template returns one string in which its own special tokens and those a
user typed look alike. So before rendering every character in a message that could begin a special
token is swapped for a private-use stand-in; special tokens found in the rendered text are then the
template's own, and the stand-ins left in the plain text are swapped back.
"""

from __future__ import annotations

import json
import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from datetime import date
from itertools import islice
from typing import NoReturn

from jinja2 import TemplateError, nodes
from jinja2.ext import Extension, loopcontrols
from jinja2.parser import Parser
from jinja2.sandbox import ImmutableSandboxedEnvironment

from herd.dialog.message import Dialog, Message
from herd.dialog.piece import Piece, merge_text
from herd.foundation import UserError

_PRIVATE_USE = range(0xF0000, 0xFFFFE)  # plane 15: characters without a meaning of their own


@dataclass(frozen=True, slots=True, kw_only=True)
class TemplateFormat:
    """Renders dialogs through `source`; `variables` are the tokens it may name (`bos_token`...)."""

    source: str
    special_tokens: frozenset[str]
    variables: Mapping[str, str] = field(default_factory=dict)
    today: date | None = None  # for templates that write the date; None reads the clock
    name: str = "template"

    @property
    def end_tokens(self) -> tuple[str, ...]:
        """Return what ends a turn: nothing beyond the tokenizer's own stop tokens is known."""
        return ()

    def pieces(self, dialog: Dialog, *, prompt: bool) -> list[Piece]:
        """Render; `prompt` adds the header of the answer that the model is to write.

        Raises UserError when the template is broken, refuses the dialog or leaves the sandbox, or
        when answers cannot be told from the rest (the template rewrites earlier turns).
        """
        stand_ins = _choose_stand_ins(self.special_tokens, [self.source, *_contents(dialog)])
        shielded = tuple(_shield(message, self.special_tokens, stand_ins) for message in dialog)
        text = self._render(shielded, prompt=prompt)
        spans = [] if prompt else self._answer_spans(shielded, text)
        back = {ord(stand_in): char for char, stand_in in stand_ins.items()}
        pieces = _split(text, self.special_tokens, spans)
        return merge_text(
            p if p.special else Piece(p.text.translate(back), trained=p.trained) for p in pieces
        )

    def _render(self, dialog: Dialog, *, prompt: bool) -> str:
        try:
            template = _environment(self.today).from_string(self.source)
            return template.render(
                **self.variables,
                messages=[message.to_dict() for message in dialog],
                add_generation_prompt=prompt,
            )
        except (TemplateError, TypeError, ValueError, ArithmeticError, LookupError) as error:
            reason = str(error).splitlines()[0] if str(error) else type(error).__name__
            raise UserError(
                f"the model's chat template cannot render this dialog: {reason}"
            ) from error

    def _answer_spans(self, dialog: Dialog, text: str) -> list[tuple[int, int]]:
        """Find each answer in `text`: from where generation would start to where the turn ends."""
        spans = []
        for i, message in enumerate(dialog):
            if message.role != "assistant":
                continue
            before = self._render(dialog[:i], prompt=True)
            through = self._render(dialog[: i + 1], prompt=False)
            if not (text.startswith(before) and text.startswith(through)):
                raise UserError(
                    f"message {i}: the model's chat template rewrites earlier turns, so the answer "
                    "to train on cannot be located: train with a native format instead"
                )
            spans.append((len(before), len(through)))
        return spans


def _environment(today: date | None) -> ImmutableSandboxedEnvironment:
    """Return the sandbox with what chat templates expect to find (the `transformers` set)."""
    environment = ImmutableSandboxedEnvironment(
        trim_blocks=True, lstrip_blocks=True, extensions=[_GenerationBlock, loopcontrols]
    )
    environment.globals["raise_exception"] = _raise_exception
    environment.globals["strftime_now"] = lambda form: (today or date.today()).strftime(form)
    # jinja2's own escapes "<" for HTML.
    environment.filters["tojson"] = lambda value: json.dumps(value, ensure_ascii=False)
    return environment


class _GenerationBlock(Extension):
    """Read `{% generation %}...{% endgeneration %}` as its body: answers are located otherwise."""

    tags = {"generation"}

    def parse(self, parser: Parser) -> list[nodes.Node]:
        next(parser.stream)
        return parser.parse_statements(("name:endgeneration",), drop_needle=True)


def _raise_exception(message: str) -> NoReturn:
    raise TemplateError(message)


def _contents(dialog: Dialog) -> list[str]:
    return [message.content for message in dialog]


def _choose_stand_ins(special_tokens: Iterable[str], texts: list[str]) -> dict[str, str]:
    """Map each first character of a special token to a character that occurs in none of `texts`."""
    taken = set().union(*texts)
    free = (chr(code) for code in _PRIVATE_USE if chr(code) not in taken)
    firsts = sorted({token[0] for token in special_tokens})
    return dict(zip(firsts, islice(free, len(firsts)), strict=True))


def _shield(message: Message, special_tokens: frozenset[str], stand_ins: dict[str, str]) -> Message:
    """Swap what could begin a special token.

    In an assistant's message only whole special tokens are broken up, and a beginning of one at the
    very end, which what follows might complete: templates of reasoning models look there for markers
    such as `</think>`, which must stay legible.
    """
    if message.role != "assistant":
        swap = {ord(char): stand_in for char, stand_in in stand_ins.items()}
        return Message(message.role, message.content.translate(swap))
    pattern = re.compile(f"{_any_of(special_tokens).pattern}|{_beginning_at_end(special_tokens)}")
    broken = pattern.sub(lambda match: stand_ins[match[0][0]] + match[0][1:], message.content)
    return Message(message.role, broken)


def _beginning_at_end(special_tokens: frozenset[str]) -> str:
    """Match a proper beginning of a special token where only white space follows."""
    beginnings = {token[:n] for token in special_tokens for n in range(1, len(token))}
    if not beginnings:
        return r"(?!)"
    longest_first = sorted(beginnings, key=len, reverse=True)
    return rf"(?:{'|'.join(map(re.escape, longest_first))})(?=\s*\Z)"


def _split(text: str, special_tokens: frozenset[str], spans: list[tuple[int, int]]) -> list[Piece]:
    """Cut rendered text at special tokens and at the ends of the answer spans."""
    pieces: list[Piece] = []
    edges = [0, *(edge for span in spans for edge in span), len(text)]
    for i, (start, stop) in enumerate(zip(edges, edges[1:], strict=False)):
        part = _split_part(text[start:stop], special_tokens)
        pieces += _mark_answer(part) if i % 2 else part
    return pieces


def _split_part(text: str, special_tokens: frozenset[str]) -> list[Piece]:
    pattern = _any_of(special_tokens)
    pieces, at = [], 0
    for match in pattern.finditer(text):
        pieces += [Piece(text[at : match.start()]), Piece(match[0], special=True)]
        at = match.end()
    return [*pieces, Piece(text[at:])]


def _mark_answer(part: list[Piece]) -> list[Piece]:
    """Train on an answer up to and with its last special token: what follows belongs to no one."""
    last = max((i for i, piece in enumerate(part) if piece.special), default=len(part) - 1)
    return [Piece(p.text, p.special, trained=i <= last) for i, p in enumerate(part)]


def _any_of(special_tokens: Iterable[str]) -> re.Pattern[str]:
    """Match any special token, the longest first; matches nothing when there are none."""
    names = sorted(special_tokens, key=len, reverse=True)
    return re.compile("|".join(map(re.escape, names)) if names else r"(?!)")
