"""A dialog: who said what, in order.

In: messages as `Message` or as `{"role": ..., "content": ...}` mappings. Out: a checked `Dialog`.
Never: tokens, or the syntax of any one chat format.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass

from herd.foundation import UserError

ROLES = ("system", "user", "assistant", "tool")
# Llama 3 calls the author of tool output "ipython"; both spellings are read, one is kept.
_SAME_ROLE = {"ipython": "tool"}
# What may follow what; None stands for the start of the dialog.
_FOLLOWERS: dict[str | None, tuple[str, ...]] = {
    None: ("system", "user"),
    "system": ("user",),
    "user": ("assistant",),
    "assistant": ("user", "tool"),
    "tool": ("assistant", "tool"),
}


@dataclass(frozen=True, slots=True)
class Message:
    """One turn. `role` is one of `ROLES`; `content` is plain text."""

    role: str
    content: str

    def __post_init__(self) -> None:
        """Raise UserError for an unknown role or a content that is not text."""
        if isinstance(self.role, str) and self.role in _SAME_ROLE:
            object.__setattr__(self, "role", _SAME_ROLE[self.role])
        if self.role not in ROLES:
            raise UserError(f"message role {self.role!r} is unknown: use one of {', '.join(ROLES)}")
        if not isinstance(self.content, str):
            kind = type(self.content).__name__
            raise UserError(f"the content of a {self.role} message must be text, not {kind}")

    def __getitem__(self, field: str) -> str:
        """Read a message like the dictionaries of other chat interfaces: `message["content"]`."""
        if field not in ("role", "content"):
            raise KeyError(field)
        return self.role if field == "role" else self.content

    def to_dict(self) -> dict[str, str]:
        """Return `{"role": ..., "content": ...}`."""
        return {"role": self.role, "content": self.content}


Dialog = tuple[Message, ...]


def as_dialog(messages: Iterable[Message | Mapping[str, str]]) -> Dialog:
    """Check roles, fields and order; return the dialog.

    A dialog opens with an optional system message, then user and assistant take turns; tool output
    follows an assistant's call. Raises UserError naming the position of the first offence.
    """
    if isinstance(messages, str | Mapping):
        raise UserError("a dialog is a list of messages: wrap the message in a list")
    if not isinstance(messages, Iterable):
        raise UserError(f"a dialog is a list of messages, not {messages!r:.60}")
    dialog = tuple(_as_message(message, i) for i, message in enumerate(messages))
    if not dialog:
        raise UserError("a dialog needs at least one message")
    previous: str | None = None
    for i, message in enumerate(dialog):
        allowed = _FOLLOWERS[previous]
        if message.role not in allowed:
            after = f"after {previous!r}" if previous else "at the start"
            raise UserError(
                f"message {i}: role {message.role!r} cannot stand {after}; "
                f"expected {' or '.join(map(repr, allowed))}"
            )
        previous = message.role
    return dialog


def _as_message(message: Message | Mapping[str, str], position: int) -> Message:
    if isinstance(message, Message):
        return message
    if not isinstance(message, Mapping):
        raise UserError(f"message {position} is a {type(message).__name__}, not a role and content")
    if set(message) != {"role", "content"}:
        fields = ", ".join(sorted(map(str, message))) or "nothing"
        raise UserError(f"message {position} must have exactly role and content, but has {fields}")
    return Message(role=message["role"], content=message["content"])
