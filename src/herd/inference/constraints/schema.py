"""What can be said of a JSON schema by reading it: where it is wrong, unsupported or impossible.

In: a schema as a JSON value. Out: nothing, or a UserError that names the keyword and its place.
Never: recursion into what a stranger has nested; the full rules, which llguidance applies later.
"""

from __future__ import annotations

import sys
from collections.abc import Iterator
from typing import Any, TypeGuard
from urllib.parse import unquote

from herd.foundation import UserError
from herd.inference.constraints.regex import check_size

TYPES = ("null", "boolean", "object", "array", "number", "integer", "string")
# llguidance refuses these, and so does everybody who turns schemas into grammars.
UNSUPPORTED = (
    *("not", "if", "then", "else", "contains", "minContains", "maxContains", "uniqueItems"),
    *("propertyNames", "dependencies", "dependentRequired", "dependentSchemas"),
    *("unevaluatedItems", "unevaluatedProperties", "$dynamicRef", "$recursiveRef"),
)
SCHEMA_MAPS = ("properties", "patternProperties", "$defs", "definitions")
SCHEMA_LISTS = ("allOf", "anyOf", "oneOf", "prefixItems", "items")
SCHEMAS = ("items", "additionalItems", "additionalProperties")
BOUNDS = (
    ("minLength", "maxLength"),
    ("minItems", "maxItems"),
    ("minProperties", "maxProperties"),
    ("minimum", "maximum"),
    ("exclusiveMinimum", "exclusiveMaximum"),
    ("minimum", "exclusiveMaximum"),
    ("exclusiveMinimum", "maximum"),
)
NUMBERS = ("minimum", "maximum", "exclusiveMinimum", "exclusiveMaximum", "multipleOf")
LARGEST_NUMBER = sys.float_info.max
MAX_DEPTH = 100  # of the whole value; llguidance's reader stops at 128

Schema = dict[str, Any]


def check_schema(schema: Any) -> None:
    """Raise UserError for the first fault found, with the JSON pointer of its keyword."""
    check_depth(schema)
    for pointer, part in subschemas(schema):
        if part is True or (part is False and pointer != "#"):
            continue
        if part is False:
            raise refusal(pointer, "false allows nothing")
        if not isinstance(part, dict):
            raise refusal(pointer, f"a schema is an object or a boolean, not {short(part)}")
        _check_type(part, pointer)
        _check_supported(part, pointer)
        _check_numbers(part, pointer)
        _check_bounds(part, pointer)
        _check_choices(part, pointer)
        _check_reference(schema, part, pointer)
        _check_patterns(part, pointer)


def subschemas(schema: Any) -> Iterator[tuple[str, Any]]:
    """Yield every schema inside `schema`, itself first, with its JSON pointer."""
    waiting = [("#", schema)]
    while waiting:
        pointer, part = waiting.pop()
        yield pointer, part
        if isinstance(part, dict):
            waiting += reversed(list(_children(part, pointer)))


def resolve(schema: Any, reference: str) -> Any:
    """Return what `#/...` points at. Raises LookupError when that is nothing."""
    target = schema
    for step in unquote(reference.removeprefix("#")).split("/")[1:]:
        step = step.replace("~1", "/").replace("~0", "~")
        if isinstance(target, list) and step.isdecimal() and len(step) < 10:
            target = target[int(step)]
        elif isinstance(target, dict):
            target = target[step]
        else:
            raise LookupError(reference)
    return target


def is_local(reference: object) -> TypeGuard[str]:
    """Whether a reference is a JSON pointer into the same schema."""
    return isinstance(reference, str) and (reference == "#" or reference.startswith("#/"))


def refusal(place: str, reason: str, name: str = "JSON schema") -> UserError:
    """Return the one line that says where a constraint is at fault."""
    return UserError(f"the {name} is refused{place and f' at {place}'}: {reason}")


def short(value: object) -> str:
    """Return a value as it may stand in a message."""
    text = repr(value)
    return text if len(text) <= 60 else text[:57] + "..."


def check_depth(schema: Any) -> None:
    """Raise UserError if the value is nested more than MAX_DEPTH deep."""
    level = [schema]
    for _ in range(MAX_DEPTH):
        level = [
            child
            for value in level
            if isinstance(value, dict | list)
            for child in (value.values() if isinstance(value, dict) else value)
        ]
        if not level:
            return
    raise UserError(f"the JSON schema is nested more than {MAX_DEPTH} levels deep: flatten it")


def _children(part: Schema, pointer: str) -> Iterator[tuple[str, Any]]:
    for keyword, value in part.items():
        here = f"{pointer}/{_escaped(keyword)}"
        if keyword in SCHEMA_MAPS and isinstance(value, dict):
            yield from ((f"{here}/{_escaped(name)}", child) for name, child in value.items())
        elif keyword in SCHEMA_LISTS and isinstance(value, list):
            yield from ((f"{here}/{i}", child) for i, child in enumerate(value))
        elif keyword in SCHEMAS:
            yield here, value


def _escaped(name: str) -> str:
    return name.replace("~", "~0").replace("/", "~1")


def _check_type(part: Schema, pointer: str) -> None:
    if "type" not in part:
        return
    types = part["type"] if isinstance(part["type"], list) else [part["type"]]
    for name in types:
        if name not in TYPES:
            raise refusal(f"{pointer}/type", f"{short(name)} is no type; use {', '.join(TYPES)}")
    if not types:
        raise refusal(f"{pointer}/type", "an empty list of types allows nothing")


def _check_supported(part: Schema, pointer: str) -> None:
    for keyword in UNSUPPORTED:
        if keyword in part:
            raise refusal(f"{pointer}/{keyword}", f'the keyword "{keyword}" is not supported')
    # The grammar cannot tell that a name came before, so a count of names could be cheated.
    required = part.get("required")
    n_required = len(set(map(str, required))) if isinstance(required, list) else 0
    least = part.get("minProperties", 0)
    if isinstance(least, int) and least > max(1, n_required):
        raise refusal(
            f"{pointer}/minProperties",
            f'"minProperties" of {least} is supported only where as many names are "required"',
        )


def _check_numbers(part: Schema, pointer: str) -> None:
    for keyword in NUMBERS:
        value = part.get(keyword)
        if not _is_number(value):
            continue
        if not -LARGEST_NUMBER <= value <= LARGEST_NUMBER:
            raise refusal(f"{pointer}/{keyword}", f"{short(value)} does not fit a double")
        if keyword == "multipleOf" and value <= 0:
            raise refusal(f"{pointer}/{keyword}", f"{short(value)} is not above 0")


def _check_bounds(part: Schema, pointer: str) -> None:
    for low, high in BOUNDS:
        least, most = part.get(low), part.get(high)
        if not _is_number(least) or not _is_number(most):
            continue
        is_open = low.startswith("exclusive") or high.startswith("exclusive")
        if least > most or (least == most and is_open):
            raise refusal(
                f"{pointer}/{low}", f"{low} {least} and {high} {most} leave nothing to choose"
            )


def _is_number(value: object) -> TypeGuard[float]:
    return isinstance(value, int | float) and not isinstance(value, bool)


def _check_choices(part: Schema, pointer: str) -> None:
    for keyword in ("enum", "anyOf", "oneOf", "allOf", "prefixItems"):
        if keyword not in part:
            continue
        if not isinstance(part[keyword], list):
            raise refusal(f"{pointer}/{keyword}", f"give a list, not {short(part[keyword])}")
        if not part[keyword] and keyword != "prefixItems":
            raise refusal(f"{pointer}/{keyword}", f"an empty {keyword} allows nothing")


def _check_patterns(part: Schema, pointer: str) -> None:
    if isinstance(part.get("pattern"), str):
        check_size(part["pattern"], f"the JSON schema's {pointer}/pattern")
    patterns = part.get("patternProperties")
    for pattern in patterns if isinstance(patterns, dict) else ():
        check_size(pattern, f"a name in the JSON schema's {pointer}/patternProperties")


def _check_reference(schema: Any, part: Schema, pointer: str) -> None:
    if "$ref" not in part:
        return
    reference = part["$ref"]
    if not isinstance(reference, str):
        raise refusal(f"{pointer}/$ref", f"give text, not {short(reference)}")
    if not is_local(reference):
        return  # an anchor or an address: llguidance knows those that stand in the schema
    try:
        resolve(schema, reference)
    except LookupError as error:
        raise refusal(
            f"{pointer}/$ref", f"{short(reference)} points at nothing in this schema"
        ) from error
