"""A constraint in llguidance's language, and what llguidance says of it in ours.

In: a `Constraint`; an error message. Out: the grammar's text; one line for the user.
Never: compilation.
"""

from __future__ import annotations

import json
import math
import re
from typing import Any

import llguidance

from herd.foundation import UserError
from herd.inference.constraints.constraint import Constraint
from herd.inference.constraints.schema import Schema, refusal, subschemas
from herd.inference.constraints.worker import DEAD_END

# Free white space invites models to write it for ever; one space is what most of them write.
COMPACT_JSON = {"whitespace_flexible": False, "item_separator": ", ?", "key_separator": ": ?"}
# Forcing would leave only the canonical tokens of a forced text; the mask is to be exact.
EXACT = '\n%llguidance {"no_forcing": true}\n'
TOO_COMPLEX = (
    "too many",
    "too large",
    "too complex",
    "toocomplex",
    "fuel",
    "limit",
    "exceeded",
    "max is",
)
MAX_DETAIL = 200
BOUND_DIGITS = 12  # llguidance reads numbers of more than 15 digits with an error in the last
EXCLUSIVE_BOUNDS = (("exclusiveMinimum", "minimum", 1), ("exclusiveMaximum", "maximum", -1))


def grammar_text(constraint: Constraint) -> str:
    """Return the grammar that llguidance compiles, as its JSON list of one Lark grammar."""
    if constraint.kind == "regex":
        # "d": a digit is one of 0 to 9, not of all the world's, which int() would take but nobody means.
        lark = f"start: /{llguidance.regex_to_lark(constraint.source, 'd')}/"
    elif constraint.kind == "grammar":
        lark = constraint.source
    else:
        schema = json.loads(constraint.source)
        for _, part in subschemas(schema):
            if isinstance(part, dict):
                _close_intervals(part)
        lark = "start: %json " + json.dumps(_with_spacing(schema))
    return json.dumps({"grammars": [{"lark_grammar": lark + EXACT}]})


def compile_error(constraint: Constraint, error: str) -> UserError:
    """Return the UserError that says in one line what llguidance refuses, and where."""
    error = error.replace("<non-verbose/>", "").strip()
    error = error.replace("failed to compile JSON schema: ", "")
    return refusal(_place(constraint, error), _reason(error), constraint.name)


def _close_intervals(part: Schema) -> None:
    """Write "more than 3" as "at least 3.00000000001", in place.

    llguidance 1.9 lets 3 itself pass as more than 3 where the other bound is less than 1 away.
    """
    for exclusive, bound, sign in EXCLUSIVE_BOUNDS:
        is_old = part.get(exclusive) is True  # as in draft 4, where it is said of the bound
        limit = part.get(bound) if is_old else part.get(exclusive)
        if isinstance(limit, bool) or not isinstance(limit, int | float) or limit != int(limit):
            continue
        nearest = limit + sign * _gap(limit)
        other = part.get(bound)
        del part[exclusive]
        if is_old or not isinstance(other, int | float) or other * sign < nearest * sign:
            part[bound] = nearest


def _gap(limit: float) -> float:
    """A twelfth digit of `limit`, or more where doubles lie farther apart."""
    n_digits = len(str(abs(int(limit))))
    return max(10.0 ** min(0, n_digits - BOUND_DIGITS), 8 * math.ulp(limit))


def _with_spacing(schema: Any) -> dict[str, Any]:
    schema = {} if schema is True else schema
    own = schema.get("x-guidance")
    return {**schema, "x-guidance": {**COMPACT_JSON, **(own if isinstance(own, dict) else {})}}


def _reason(error: str) -> str:
    if error.startswith(DEAD_END):
        return "no text can satisfy it"
    if unsatisfiable := re.search(r"Unsatisfiable schema: (.*)", error):
        return f"nothing can satisfy it: {_line(unsatisfiable[1])}"
    if keys := re.search(r"Unimplemented keys: \[(.*?)\]", error):
        return f"not supported: the keyword {keys[1]}"
    if "oneOf constraints are not supported" in error:
        return "options of oneOf that cannot be told apart; use anyOf"
    if "regex parse error" in error and (reason := re.search(r"error: (.*)", error)):
        return _line(reason[1])
    if any(word in error.lower() for word in TOO_COMPLEX):
        return f"it is too complex ({_line(error)}); make it simpler or shorter"
    return _line(re.sub(r"^(at )?\d+\(\d+\): ", "", error))


def _place(constraint: Constraint, error: str) -> str:
    """Where in the source the error is; the whole of it if nobody knows."""
    if constraint.kind == "regex":
        caret = re.search(r"^    ( *)\^", error, re.MULTILINE)
        is_one_line = "\n" not in constraint.source
        return f"character {len(caret[1])}" if caret and is_one_line else ""
    if constraint.kind == "grammar":
        found = re.match(r"(?:at )?(\d+)\((\d+)\): ", error)
        return f"line {found[1]}, column {found[2]}" if found else ""
    return _pointer(json.loads(constraint.source), error)


def _pointer(schema: Any, error: str) -> str:
    """The pointer of a keyword that the error quotes with its value, or by its name alone."""
    pattern = re.search(r"regex parse error:\n    (.*)\n", error)
    named = re.search(r"Unknown format: (.*)", error)
    keys = re.search(r'Unimplemented keys: \["([^"]*)"', error)
    for pointer, part in subschemas(schema):
        if not isinstance(part, dict):
            continue
        if pattern and part.get("pattern") == pattern[1]:
            return f"{pointer}/pattern"
        if named and part.get("format") == named[1]:
            return f"{pointer}/format"
        if keys and keys[1] in part:
            return f"{pointer}/{keys[1]}"
        if "oneOf constraints" in error and "oneOf" in part:
            return f"{pointer}/oneOf"
    return ""


def _line(text: str) -> str:
    line = " ".join(text.split("\n")[0].split())
    return line if len(line) <= MAX_DETAIL else line[:MAX_DETAIL] + "..."
