"""What a user demands of an answer's form: JSON of a schema, any JSON object, a regular expression, a grammar.

In: a schema, a pattern or a grammar. Out: `Constraint`, a value, its shape checked at once.
Never: a tokenizer, a compilation (`constraint_compiler.py`); nothing here takes longer than reading.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Literal

from herd.foundation import UserError
from herd.inference.constraints.finite import check_finite
from herd.inference.constraints.regex import check_size
from herd.inference.constraints.schema import check_schema

ConstraintKind = Literal["json_schema", "json_object", "regex", "grammar"]
MAX_SOURCE_BYTES = 1 << 20
NAMES = {
    "json_schema": "JSON schema",
    "json_object": "JSON object",
    "regex": "regular expression",
    "grammar": "grammar",
}


@dataclass(frozen=True, kw_only=True, slots=True)
class Constraint:
    """The form that an answer must have, from its first byte to its last; make one by a class method.

    Two that are equal are compiled once. Raises UserError naming the place that is at fault.
    """

    kind: ConstraintKind
    source: str

    def __post_init__(self) -> None:
        """Raise UserError for a source of the wrong shape."""
        if self.kind not in NAMES:
            raise UserError(f"constraint kind {self.kind!r} is unknown: give one of {list(NAMES)}")
        _check_text(self.source, NAMES[self.kind])
        if self.kind == "json_schema":
            schema = _parse(self.source)
            check_schema(schema)
            check_finite(schema)
        elif self.kind == "regex":
            check_size(self.source, "the regular expression")

    @classmethod
    def json_schema(cls, schema: Mapping[str, Any] | bool | str) -> Constraint:
        """JSON that validates against `schema`, given as a value or as text (draft 4 to 2020-12).

        Properties come in the schema's order; at most one space follows a comma or a colon (an
        "x-guidance" of llguidance in the schema overrides that); numbers have at most 15 digits
        unless the schema leaves no choice.
        """
        if isinstance(schema, str):
            _check_text(schema, NAMES["json_schema"])
            schema = _parse(schema)
        return cls(kind="json_schema", source=_write(schema))

    @classmethod
    def json_object(cls) -> Constraint:
        """Any JSON object."""
        return cls(kind="json_object", source='{"type":"object"}')

    @classmethod
    def regex(cls, pattern: str) -> Constraint:
        r"""Text that matches all of `pattern`: Rust's syntax, no look-around, no back-references.

        A digit `\d` is 0 to 9; `.` is any character but a newline; letters are those of all scripts.
        """
        return cls(kind="regex", source=pattern)

    @classmethod
    def grammar(cls, lark: str) -> Constraint:
        """Text of a context-free grammar in llguidance's dialect of Lark; its rule is `start`."""
        return cls(kind="grammar", source=lark)

    @property
    def name(self) -> str:
        """What it is, in words."""
        return NAMES[self.kind]


def _check_text(source: object, name: str) -> None:
    if not isinstance(source, str):
        raise UserError(f"the {name} is a {type(source).__name__}: give text")
    if not source.strip():
        raise UserError(f"the {name} is empty: leave the constraint out to allow any answer")
    if (at := source.find("\0")) >= 0:
        raise UserError(f"the {name} holds a NUL character at {at}: write it escaped, as \\x00")
    try:
        n_bytes = len(source.encode())
    except UnicodeEncodeError as error:
        raise UserError(
            f"the {name} holds a lone surrogate at {error.start}, which is no valid Unicode"
        ) from error
    if n_bytes > MAX_SOURCE_BYTES:
        raise UserError(
            f"the {name} has {n_bytes:,} bytes: at most {MAX_SOURCE_BYTES:,} are accepted"
        )


def _parse(text: str) -> Any:
    try:
        return json.loads(text)
    except RecursionError as error:
        raise UserError("the JSON schema is nested too deeply to be read") from error
    except ValueError as error:
        raise UserError(f"the JSON schema is not JSON: {error}") from error


def _write(schema: Any) -> str:
    try:
        return json.dumps(schema, separators=(",", ":"), ensure_ascii=False, allow_nan=False)
    except RecursionError as error:
        raise UserError("the JSON schema is nested too deeply to be read") from error
    except (TypeError, ValueError) as error:
        raise UserError(f"the JSON schema holds what JSON cannot say: {error}") from error
