"""The grammar says what the constraint means, where llguidance alone would say something else."""

import json
from typing import Any

import llguidance
import pytest

from herd.inference.constraints.constraint import Constraint
from herd.inference.constraints.grammar import compile_error, grammar_text

BYTES = llguidance.LLTokenizer("byte")


def matches(constraint: Constraint, *texts: str) -> list[bool]:
    """Whether the grammar, over single bytes, accepts all of each text."""
    matcher = llguidance.LLMatcher(BYTES, grammar_text(constraint))
    assert not matcher.is_error(), matcher.get_error()
    found = []
    for text in texts:
        copy = matcher.deep_copy()
        data = list(text.encode())
        found.append(copy.try_consume_tokens(data) == len(data) and bool(copy.is_accepting()))
    return found


@pytest.mark.parametrize("low", [None, "minimum", "exclusiveMinimum"])
@pytest.mark.parametrize("high", [None, "maximum", "exclusiveMaximum"])
@pytest.mark.parametrize("kind", ["number", "integer"])
def test_no_number_outside_its_bounds_passes(low: str | None, high: str | None, kind: str) -> None:
    """Against plain arithmetic; llguidance takes 0 for more than 0 where the maximum is below 1."""
    texts = [
        sign + digits + fraction
        for sign in ("", "-")
        for digits in ("0", "1", "9", "10")
        for fraction in ("", ".0", ".1", ".25", ".5", ".501", ".99")
    ]
    for least in (-10, -0.5, 0, 1) if low else (None,):
        for most in (0, 0.5, 1, 10) if high else (None,):
            schema: dict[str, Any] = {"type": kind}
            schema |= {low: least} if low else {}
            schema |= {high: most} if high else {}
            if least is not None and most is not None and most - least <= 1:
                continue  # may be impossible, and then it is refused
            passing = matches(Constraint.json_schema(schema), *texts)
            for value in (
                float(text) for text, passes in zip(texts, passing, strict=True) if passes
            ):
                assert least is None or value > least or (value == least and low == "minimum")
                assert most is None or value < most or (value == most and high == "maximum")
                assert kind == "number" or value.is_integer()


@pytest.mark.parametrize("sign", [1, -1])
@pytest.mark.parametrize("limit", [0, 3, 3.0, -3, 100, 99999])
def test_a_whole_number_is_not_more_than_itself(limit: float, sign: int) -> None:
    """llguidance alone lets it pass where the other bound is less than 1 away."""
    low, high = ("exclusiveMinimum", "maximum") if sign > 0 else ("exclusiveMaximum", "minimum")
    schema = {"type": "number", low: limit, high: limit + sign * 0.5}
    texts = [str(int(limit)), f"{int(limit)}.0", f"{int(limit)}.00"]
    assert not any(matches(Constraint.json_schema(schema), *texts))
    inside, outside = f"{limit + sign * 0.25:.2f}", f"{limit - sign * 0.25:.2f}"
    assert matches(Constraint.json_schema(schema), inside, outside) == [True, False]


def test_zero_may_be_excluded_as_in_draft_4() -> None:
    schema = {"type": "number", "minimum": 0, "exclusiveMinimum": True, "maximum": 0.5}
    assert matches(Constraint.json_schema(schema), "0", "0.001") == [False, True]
    assert matches(Constraint.json_schema({**schema, "exclusiveMinimum": False}), "0") == [True]


@pytest.mark.parametrize(
    ("text", "passes"),
    [
        ('{"a":1,"b":[1,2]}', True),
        ('{"a": 1, "b": [1, 2]}', True),
        ('{"a":  1,"b":[1,2]}', False),
        ('{ "a":1,"b":[1,2]}', False),
        ('{"a":1,\n"b":[1,2]}', False),
        ('{"b":[1,2],"a":1}', False),
    ],
)
def test_one_space_may_follow_a_comma_or_a_colon(text: str, passes: bool) -> None:
    schema = {"properties": {"a": {}, "b": {}}, "type": "object", "required": ["a", "b"]}
    assert matches(Constraint.json_schema(schema), text) == [passes]


def test_a_schema_may_ask_for_other_spacing() -> None:
    schema = {"type": "array", "x-guidance": {"item_separator": " ;? ?, "}}
    assert matches(Constraint.json_schema(schema), "[1 , 2]", "[1,2]") == [True, False]


@pytest.mark.parametrize(
    ("pattern", "text", "passes"),
    [
        (r"\d+", "12", True),
        (r"\d+", "\u0663", False),
        (r"\w+", "caf\u00e9", True),
        ("a/b\n\"'", "a/b\n\"'", True),
        ("^ab$", "ab", True),
        ("a|bc", "abc", False),
        (".", "\n", False),
        ("(?s:.)", "\n", True),
        (r"\x00", "\0", True),
    ],
)
def test_a_pattern_matches_the_whole_answer(pattern: str, text: str, passes: bool) -> None:
    assert matches(Constraint.regex(pattern), text) == [passes]


def test_forced_text_is_left_to_the_model() -> None:
    for constraint in (Constraint.regex("abc"), Constraint.grammar('start: "abc" // note')):
        lark = json.loads(grammar_text(constraint))["grammars"][0]["lark_grammar"]
        assert lark.endswith('\n%llguidance {"no_forcing": true}\n')


@pytest.mark.parametrize(
    ("constraint", "error", "words"),
    [
        (
            Constraint.json_schema({"items": {"pattern": "("}}),
            "at 1(8): failed: regex parse error:\n    (\n    ^\nerror: unclosed group\n  1 | x",
            "the JSON schema is refused at #/items/pattern: unclosed group",
        ),
        (
            Constraint.json_schema({"items": {"format": "ipv7"}}),
            "at 1(8): failed to compile JSON schema: Unknown format: ipv7",
            "the JSON schema is refused at #/items/format: Unknown format: ipv7",
        ),
        (
            Constraint.regex("ab("),
            "at 1(8): invalid: regex parse error:\n    ab(\n      ^\nerror: unclosed group\n",
            "the regular expression is refused at character 2: unclosed group",
        ),
        (
            Constraint.grammar("start: x"),
            'at 1(8): unknown name: "x"\n   1 | start: x',
            'the grammar is refused at line 1, column 8: unknown name: "x"',
        ),
        (
            Constraint.regex("a"),
            "lexer error: too many states: 60 >= 60\n<non-verbose/>",
            "the regular expression is refused: it is too complex (lexer error: too many states: "
            "60 >= 60); make it simpler or shorter",
        ),
        (
            Constraint.regex("a"),
            "NoExtensionBias\n<non-verbose/>",
            "the regular expression is refused: no text can satisfy it",
        ),
    ],
)
def test_errors_are_told_in_one_line_with_the_place(
    constraint: Constraint, error: str, words: str
) -> None:
    assert str(compile_error(constraint, error)) == words
