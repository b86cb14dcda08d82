"""Typed looks into a mapping that came out of somebody else's file.

In: decoded JSON or GGUF metadata, and the file's name. Out: ints, floats, strings, bools.
Never: a value of another type than asked for, or a Python error that does not name the file.
"""

from collections.abc import Mapping
from pathlib import Path
from typing import Any

from herd.foundation import UserError

MISSING: Any = object()
LARGEST_INTEGER = (1 << 31) - 1  # above every size a model has, below every overflow
LARGEST_NUMBER = 1e30  # held by float32, too
SHOWN_CHARACTERS = 40


class Fields:
    """A mapping with its origin; each method raises UserError naming file, field and value."""

    def __init__(self, values: Any, path: Path) -> None:
        if not isinstance(values, Mapping):
            raise UserError(f"{path}: expected an object of settings, found {shorten(values)}")
        self.values: Mapping[str, Any] = values
        self.path = path

    def integer(self, name: str, default: int = MISSING) -> int:
        """Return a whole number from -1 to 2^31 - 1."""
        value: int = self._get(name, int, "a whole number", default)
        if not -1 <= value <= LARGEST_INTEGER:
            raise self.refuse(name, "is out of range")
        return value

    def number(self, name: str, default: float = MISSING) -> float:
        """Return a finite float."""
        value = self._get(name, int | float, "a number", default)
        if not -LARGEST_NUMBER <= value <= LARGEST_NUMBER:  # NaN fails this, too
            raise self.refuse(name, "is out of range")
        return float(value)

    def flag(self, name: str, default: bool = MISSING) -> bool:
        """Return a truth value."""
        value: bool = self._get(name, bool, "true or false", default)
        return value

    def text(self, name: str, default: str = MISSING) -> str:
        """Return a string."""
        value: str = self._get(name, str, "a string", default)
        return value

    def has(self, name: str) -> bool:
        """Whether the field is there and not null."""
        return self.values.get(name) is not None

    def section(self, name: str) -> "Fields":
        """Return the mapping under `name`; empty when it is absent or null."""
        return Fields(self.values.get(name) or {}, self.path)

    def refuse(self, name: str, why: str) -> UserError:
        """Return the error that says why this field's value cannot be used."""
        return UserError(f"{self.path}: {name} {why}: {shorten(self.values.get(name))}")

    def _get(self, name: str, kind: Any, wanted: str, default: Any) -> Any:
        value = self.values.get(name)
        if value is None:
            if default is MISSING:
                raise UserError(f"{self.path}: {name} is missing; the model cannot be built")
            return default
        if not isinstance(value, kind) or (isinstance(value, bool) and kind is not bool):
            raise self.refuse(name, f"is not {wanted}")
        return value


def shorten(value: Any) -> str:
    """Return the value as an error message shows it: on one line, cut after 40 characters."""
    text = repr(value) if isinstance(value, int | float | str | bool) else type(value).__name__
    return text if len(text) <= SHOWN_CHARACTERS else f"{text[:SHOWN_CHARACTERS]}..."
