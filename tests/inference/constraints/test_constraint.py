"""A constraint is a value; one of the wrong shape is refused at once, in one line with the place."""

import json
from typing import Any

import pytest

from herd.foundation import UserError
from herd.inference.constraints.constraint import Constraint


def test_equal_demands_are_equal_values() -> None:
    schema = {"type": "object", "properties": {"a": {"type": "integer"}}}
    written = json.dumps(schema, indent=2)
    assert Constraint.json_schema(schema) == Constraint.json_schema(written)
    assert len({Constraint.json_schema(schema), Constraint.json_schema(written)}) == 1


def test_the_order_of_properties_is_kept() -> None:
    constraint = Constraint.json_schema({"properties": {"b": {}, "a": {}}})
    assert constraint.source.index('"b"') < constraint.source.index('"a"')


@pytest.mark.parametrize(
    ("make", "argument", "words"),
    [
        (Constraint.regex, "", "is empty"),
        (Constraint.regex, "a\0b", "NUL character at 1"),
        (Constraint.regex, "a\ud800", "lone surrogate at 1"),
        (Constraint.regex, 3, "is a int"),
        (Constraint.regex, "(a{1000}){1000}{1000}", "too complex"),
        (Constraint.grammar, " \n", "is empty"),
        (Constraint.grammar, 'start: "\0"', "NUL character at 8"),
        (Constraint.json_schema, '{"type": }', "not JSON: .* column 10"),
        (Constraint.json_schema, '{"a": NaN}', "cannot say"),
        (Constraint.json_schema, {"enum": [{1, 2}]}, "cannot say"),
        (Constraint.json_schema, "[" * 100_000, "nested too deeply"),
        (Constraint.json_schema, {"description": "x" * 10_000_000}, "10,000,018 bytes"),
        (Constraint.json_schema, '{"a": "\0"}', "NUL character at 7"),
        (Constraint.regex, "a" * (1 << 21), "2,097,152 bytes"),
    ],
)
def test_a_wrong_shape_is_refused_at_once(make: Any, argument: Any, words: str) -> None:
    with pytest.raises(UserError, match=words) as refused:
        make(argument)
    assert "\n" not in str(refused.value)
    assert len(str(refused.value)) < 300


def test_a_schema_nested_ten_thousand_deep_is_refused() -> None:
    schema: dict[str, Any] = {"type": "string"}
    for _ in range(10_000):
        schema = {"type": "array", "items": schema}
    with pytest.raises(UserError, match="nested too deeply"):
        Constraint.json_schema(schema)
    with pytest.raises(UserError, match="nested too deeply"):
        Constraint.json_schema('{"items":' * 10_000 + "{}" + "}" * 10_000)


def test_an_unknown_kind_is_refused() -> None:
    with pytest.raises(UserError, match="unknown"):
        Constraint(kind="yaml", source="a")  # type: ignore[arg-type]
