"""Typed looks into untrusted mappings."""

from pathlib import Path

import pytest

from herd.foundation import UserError
from herd.model.formats.fields import Fields

PATH = Path("config.json")


def test_values_of_the_right_type_come_back():
    fields = Fields({"n": 3, "x": 2, "on": True, "t": "word", "s": {"n": 4}}, PATH)
    assert fields.integer("n") == 3
    assert fields.number("x") == 2.0
    assert fields.flag("on") is True
    assert fields.text("t") == "word"
    assert fields.section("s").integer("n") == 4


def test_absent_and_null_values_are_the_default():
    fields = Fields({"n": None}, PATH)
    assert fields.integer("n", 7) == 7
    assert fields.text("absent", "x") == "x"
    assert fields.section("absent").values == {}


@pytest.mark.parametrize(
    ("method", "value"),
    [
        ("integer", "3"),
        ("integer", 3.0),
        ("integer", True),
        ("integer", -2),
        ("integer", 1 << 40),
        ("integer", 10**4000),
        ("number", "1"),
        ("number", float("nan")),
        ("number", float("inf")),
        ("number", [1.0]),
        ("number", 10**400),
        ("flag", 1),
        ("text", 5),
        ("text", ["a" * 10_000]),
    ],
)
def test_a_value_of_another_type_is_a_user_error_that_names_file_and_field(method, value):
    with pytest.raises(UserError, match=r"config\.json: field") as caught:
        getattr(Fields({"field": value}, PATH), method)("field")
    assert len(str(caught.value)) < 200


@pytest.mark.parametrize("values", [None, [], "x", 3])
def test_what_is_no_mapping_is_a_user_error(values):
    with pytest.raises(UserError, match=r"config\.json"):
        Fields(values, PATH)
    with pytest.raises(UserError, match="field is missing"):
        Fields({}, PATH).integer("field")
