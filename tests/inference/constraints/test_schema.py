"""Faults that reading a schema shows: each names its keyword and its place."""

from typing import Any

import pytest

from herd.foundation import UserError
from herd.inference.constraints.finite import check_finite
from herd.inference.constraints.schema import MAX_DEPTH, check_schema, resolve, subschemas

ENDLESS = {"type": "object", "properties": {"a": {"$ref": "#"}}, "required": ["a"]}


def inside(part: Any) -> dict[str, Any]:
    return {"type": "object", "properties": {"x/y": {"type": "array", "items": part}}}


@pytest.mark.parametrize(
    ("part", "place", "words"),
    [
        ({"type": "strng"}, "/type", "'strng' is no type"),
        ({"type": []}, "/type", "allows nothing"),
        ({"type": ["integer", {}]}, "/type", "is no type"),
        ({"not": {"type": "string"}}, "/not", '"not" is not supported'),
        ({"exclusiveMinimum": 10**400}, "/exclusiveMinimum", "does not fit a double"),
        ({"maximum": float("inf")}, "/maximum", "does not fit a double"),
        ({"multipleOf": -1}, "/multipleOf", "is not above 0"),
        ({"uniqueItems": True}, "/uniqueItems", '"uniqueItems" is not supported'),
        ({"minimum": 5, "maximum": 3}, "/minimum", "minimum 5 and maximum 3"),
        ({"minimum": 3, "exclusiveMaximum": 3}, "/minimum", "leave nothing"),
        ({"minLength": 5, "maxLength": 3}, "/minLength", "minLength 5 and maxLength 3"),
        ({"minItems": 2, "maxItems": 1}, "/minItems", "leave nothing"),
        ({"minProperties": 2}, "/minProperties", "supported only where"),
        ({"enum": []}, "/enum", "an empty enum allows nothing"),
        ({"anyOf": []}, "/anyOf", "an empty anyOf"),
        ({"allOf": {}}, "/allOf", "give a list"),
        ({"$ref": "#/$defs/gone"}, "/$ref", "'#/\\$defs/gone' points at nothing"),
        ({"$ref": "#/required/7"}, "/$ref", "points at nothing"),
        ({"$ref": 5}, "/$ref", "give text"),
        ({"pattern": "((a{1000}){1000}){9}"}, "/pattern", "too complex"),
        (5, "", "an object or a boolean, not 5"),
    ],
)
def test_a_fault_is_named_with_its_place(part: Any, place: str, words: str) -> None:
    with pytest.raises(UserError, match=words) as refused:
        check_schema(inside(part))
    assert f"#/properties/x~1y/items{place}" in str(refused.value)


@pytest.mark.parametrize(
    "schema",
    [
        True,
        {},
        {"type": ["integer", "null"], "minimum": 3, "maximum": 3},
        {"properties": {"not": {"type": "string"}, "enum": {}}},  # names, not keywords
        {"enum": [{"type": "strng", "minimum": 5, "maximum": 3}]},  # a value, not a schema
        {"type": "object", "minProperties": 2, "required": ["a", "b"]},
        {"$defs": {"a/b": {"type": "string"}}, "$ref": "#/$defs/a~1b"},
        {"x-own-keyword": 1, "description": "unknown keywords are remarks"},
        {"properties": {"never": False}},
    ],
)
def test_a_sound_schema_passes(schema: Any) -> None:
    check_schema(schema)
    check_finite(schema)


def test_false_and_too_deep_are_refused() -> None:
    with pytest.raises(UserError, match="false allows nothing"):
        check_schema(False)
    deep: Any = {}
    for _ in range(MAX_DEPTH):
        deep = {"items": deep}
    with pytest.raises(UserError, match="levels deep"):
        check_schema(deep)


def test_every_schema_is_visited_once() -> None:
    schema = {
        "$defs": {"a": {"items": [{"const": 1}, True]}},
        "allOf": [{"additionalProperties": {"const": 2}}],
        "const": {"type": "not a schema"},
    }
    places = [pointer for pointer, _ in subschemas(schema)]
    assert places == [
        *("#", "#/$defs/a", "#/$defs/a/items/0", "#/$defs/a/items/1"),
        *("#/allOf/0", "#/allOf/0/additionalProperties"),
    ]
    assert all(resolve(schema, pointer) == part for pointer, part in subschemas(schema))


@pytest.mark.parametrize(
    "schema",
    [
        ENDLESS,
        {"$ref": "#"},
        {"$defs": {"a": {"$ref": "#/$defs/b"}, "b": {"$ref": "#/$defs/a"}}, "$ref": "#/$defs/a"},
        {"type": "array", "minItems": 1, "items": {"$ref": "#"}},
        {"allOf": [{"$ref": "#"}]},
        {"anyOf": [{"$ref": "#"}, False]},
        {"type": "object", "required": ["a"], "additionalProperties": {"$ref": "#"}},
    ],
)
def test_recursion_that_cannot_end_is_refused(schema: Any) -> None:
    with pytest.raises(UserError, match="demands itself without end"):
        check_finite(schema)


@pytest.mark.parametrize(
    "schema",
    [
        {"type": "object", "properties": {"a": {"$ref": "#"}}},
        {**ENDLESS, "type": ["object", "null"]},
        {"type": "array", "items": {"$ref": "#"}},
        {"anyOf": [{"type": "null"}, ENDLESS | {"properties": {"a": {"$ref": "#"}}}]},
        {"properties": {"a": {"$ref": "#"}}, "required": ["a"]},  # a number has no properties
        {"properties": {"a": ENDLESS | {"required": []}}, "required": ["a"], "type": "object"},
    ],
)
def test_recursion_that_can_end_passes(schema: Any) -> None:
    check_finite(schema)


def test_a_long_chain_of_references_takes_bounded_time() -> None:
    chain = {str(i): {"$ref": f"#/$defs/{i - 1}"} for i in range(1, 3000)}
    check_finite({"$defs": {"0": {"type": "null"}, **chain}, "$ref": "#/$defs/2999"})
    backwards = dict(reversed(chain.items()))
    check_finite({"$defs": {**backwards, "0": {"type": "null"}}, "$ref": "#/$defs/2999"})
