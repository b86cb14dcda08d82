"""Whether a JSON schema has any finite instance: whether its recursion can come to an end.

In: a schema that `check_schema` has passed. Out: nothing, or a UserError naming the endless part.
Never: instances; whether bounds and patterns can be met, which llguidance finds out.
The least fixed point: a schema is finite once all that it demands is finite, starting from nothing.
"""

from __future__ import annotations

from typing import Any

from herd.inference.constraints.schema import (
    TYPES,
    Schema,
    is_local,
    refusal,
    resolve,
    subschemas,
)

# A chain of references may need a pass for each link; a hostile one gets the benefit of the doubt.
MAX_PASSES = 64


def check_finite(schema: Any) -> None:
    """Raise UserError if every instance of `schema` would have to contain itself."""
    parts = [(pointer, part) for pointer, part in subschemas(schema) if isinstance(part, dict)]
    endless = {id(part): part for _, part in parts}
    for _ in range(MAX_PASSES):
        n_before = len(endless)
        for _, part in reversed(parts):  # from the inside out: often one pass is enough
            if id(part) in endless and _is_finite(schema, part, endless):
                del endless[id(part)]
        if id(schema) not in endless:
            return
        if len(endless) == n_before:
            where = next(pointer for pointer, part in reversed(parts) if id(part) in endless)
            raise refusal(where, "it demands itself without end: no finite JSON can satisfy it")


def _is_finite(schema: Any, part: Schema, endless: dict[int, Schema]) -> bool:
    def known(child: Any) -> bool:
        return child is not False and id(child) not in endless

    if "const" in part or "enum" in part:
        return True
    reference = part.get("$ref")
    if is_local(reference) and not known(resolve(schema, reference)):
        return False
    if not all(known(child) for child in part.get("allOf", ())):
        return False
    for keyword in ("anyOf", "oneOf"):
        if keyword in part and not any(known(child) for child in part[keyword]):
            return False
    types = part.get("type", TYPES)
    types = [types] if isinstance(types, str) else types
    return any(all(known(child) for child in _demanded(part, name)) for name in types)


def _demanded(part: Schema, type_name: str) -> list[Any]:
    """The schemas that every instance of that type holds an instance of."""
    if type_name == "object":
        return _demanded_properties(part)
    if type_name == "array":
        return _demanded_items(part)
    return []


def _demanded_properties(part: Schema) -> list[Any]:
    properties, required = part.get("properties", {}), part.get("required", [])
    if not isinstance(properties, dict) or not isinstance(required, list):
        return []  # llguidance says what is wrong with them
    others = None if "patternProperties" in part else part.get("additionalProperties")
    return [properties.get(name, others) for name in required if isinstance(name, str)]


def _demanded_items(part: Schema) -> list[Any]:
    n_items, items = part.get("minItems", 0), part.get("items")
    if not isinstance(n_items, int):
        return []
    first = items if isinstance(items, list) else part.get("prefixItems", [])
    rest = part.get("additionalItems") if isinstance(items, list) else items
    return [*first[:n_items], *([rest] if n_items > len(first) else [])]
