"""Masks equal what brute force finds; answers drawn under them always have the form demanded."""

import itertools
import json
import re
from collections.abc import Iterator
from typing import Any

import jsonschema
import numpy as np
import pytest
import torch
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from herd.foundation import UserError
from herd.inference.constraints.compiler import ConstraintCompiler
from herd.inference.constraints.constraint import Constraint
from herd.inference.constraints.grammar import grammar_text
from herd.inference.constraints.limits import ConstraintLimits
from herd.inference.constraints.state import CompiledConstraint, ConstraintState
from herd.inference.constraints.vocabulary import ConstraintVocabulary
from herd.inference.constraints.worker import build_matcher
from herd.tokenizer import Tokenizer, train_bpe

TEXT = 'abab abxx {"a": 12, "b": [true, null, "x\\n"]} aab 1.5e3 xxx é è 2026-01-31 ' * 9
CLOSERS = {b'"': 4, b"}": 3, b"]": 2}
FREE_TOKENS = 30  # drawn at random; from then on whatever closes is preferred
MAX_TOKENS = 1000
QUICK = settings(
    max_examples=40, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture]
)


@pytest.fixture(scope="module")
def tokenizer() -> Tokenizer:
    return train_bpe([TEXT], vocab_size=560)


@pytest.fixture(scope="module")
def compiler(tokenizer: Tokenizer) -> Iterator[ConstraintCompiler]:
    with ConstraintCompiler(tokenizer) as compiler:
        yield compiler


def allowed_ids(state: ConstraintState) -> list[int]:
    return [int(i) for i in state.allowed_mask().nonzero()[:, 0]]


def answer(compiled: CompiledConstraint, seed: int) -> bytes:
    """Draw from random logits under the mask until the answer ends; return its bytes."""
    state = compiled.start()
    generator = torch.Generator().manual_seed(seed)
    tokens = compiled.vocabulary.tokens
    closing_V = torch.tensor([float(10 * CLOSERS.get(token, 0)) for token in tokens])
    closing_V[sorted(compiled.stop_ids)] = 100.0
    text = b""
    for index in range(MAX_TOKENS):
        if state.must_stop:
            return text
        allowed_V = state.allowed_mask()
        logits_V = torch.randn(len(tokens), generator=generator)
        if index >= FREE_TOKENS:
            logits_V += closing_V
        drawn = int(logits_V.masked_fill(~allowed_V, -torch.inf).argmax())
        assert allowed_V[drawn]
        state.accept(drawn)
        if drawn not in compiled.stop_ids:
            text += tokens[drawn]
    raise AssertionError(f"no end after {MAX_TOKENS} tokens: {text[:300]!r}")


SCALARS = st.sampled_from([None, True, False, 0, -7, 12, "", "abc", 'q"\\', "\u00e9\n", 2.5])
STRINGS = st.one_of(
    st.tuples(st.integers(0, 3), st.integers(3, 9)).map(
        lambda n: {"type": "string", "minLength": n[0], "maxLength": n[1]}
    ),
    st.sampled_from(["^[a-c]{2,4}$", "^x+y?", "^(ab|cd)*$"]).map(
        lambda pattern: {"type": "string", "pattern": pattern}
    ),
    st.sampled_from(["date", "uuid", "ipv4"]).map(lambda name: {"type": "string", "format": name}),
)
NUMBERS = st.one_of(
    st.tuples(st.integers(-999, 50), st.integers(0, 9999)).map(
        lambda n: {"type": "integer", "minimum": n[0], "maximum": n[0] + n[1]}
    ),
    st.tuples(st.integers(-9999, 9999), st.integers(1, 9999)).map(
        lambda n: {
            "type": "number",
            "exclusiveMinimum": n[0] / 100,
            "exclusiveMaximum": (n[0] + n[1]) / 100,
        }
    ),
    st.just({"type": "integer", "multipleOf": 7}),
    st.just({"type": "number"}),
)
LEAVES = st.one_of(
    st.just({}),
    st.sampled_from(["string", "integer", "null", "boolean"]).map(lambda name: {"type": name}),
    st.lists(SCALARS, min_size=1, max_size=3).map(lambda values: {"enum": values}),
    SCALARS.map(lambda value: {"const": value}),
    STRINGS,
    NUMBERS,
)


def object_schema(parts: dict[str, Any], n_required: int, others: Any) -> dict[str, Any]:
    return {
        "type": "object",
        "properties": parts,
        "required": list(parts)[:n_required],
        "additionalProperties": others,
    }


SCHEMAS = st.recursive(
    LEAVES,
    lambda inner: st.one_of(
        st.builds(
            object_schema,
            st.dictionaries(st.sampled_from(["a", "b", 'k"', "\u00e9"]), inner, max_size=3),
            st.integers(0, 3),
            st.sampled_from([False, True, {"type": "integer"}]),
        ),
        st.builds(
            lambda items, n: {"type": "array", "items": items, "minItems": n, "maxItems": n + 2},
            inner,
            st.integers(0, 2),
        ),
        st.lists(inner, min_size=1, max_size=2).map(lambda options: {"anyOf": options}),
        inner.map(
            lambda part: {
                "type": "object",
                "properties": {"v": part, "next": {"anyOf": [{"type": "null"}, {"$ref": "#"}]}},
                "required": ["v"],
            }
        ),
    ),
    max_leaves=5,
)


@QUICK
@given(schema=SCHEMAS, seed=st.integers(0, 2**32))
def test_answers_under_a_schema_are_json_that_validates(
    compiler: ConstraintCompiler, schema: dict[str, Any], seed: int
) -> None:
    text = answer(compiler.compile(Constraint.json_schema(schema)), seed)
    jsonschema.Draft202012Validator(schema).validate(json.loads(text))


@QUICK
@given(seed=st.integers(0, 2**32))
def test_any_json_object_is_an_object(compiler: ConstraintCompiler, seed: int) -> None:
    assert isinstance(json.loads(answer(compiler.compile(Constraint.json_object()), seed)), dict)


@QUICK
@given(
    pattern=st.sampled_from(
        [
            r"[a-z]{1,5}@[a-z]{2,3}\.(com|org)",
            r"-?\d+(\.\d{1,3})?",
            "(ab|é)*x",
            r"\[[^\]]{0,4}\]",
            "/a\n?",
        ]
    ),
    seed=st.integers(0, 2**32),
)
def test_answers_under_a_pattern_match_all_of_it(
    compiler: ConstraintCompiler, pattern: str, seed: int
) -> None:
    text = answer(compiler.compile(Constraint.regex(pattern)), seed).decode()
    assert re.fullmatch(pattern, text, re.ASCII)


def test_answers_under_a_grammar_follow_it(compiler: ConstraintCompiler) -> None:
    constraint = Constraint.grammar('start: "<" inner ">"\ninner: "a" inner "b" | "x"')
    for seed in range(5):
        text = answer(compiler.compile(constraint), seed).decode()
        inner = re.fullmatch(r"<(a*)x(b*)>", text)
        assert inner and len(inner[1]) == len(inner[2])


@pytest.mark.parametrize("pattern", ["(ab|x)+", "a*b?x", "a{2,3}|x1?", "[^b]", "(é|è)x", "aab|ab"])
def test_masks_equal_brute_force(
    compiler: ConstraintCompiler, tokenizer: Tokenizer, pattern: str
) -> None:
    """A token is allowed iff the text so far and the token begin some match."""
    matches = [
        text.encode()
        for length in range(8)
        for text in map(
            "".join, itertools.product("abx1éè"[: 6 if length < 6 else 4], repeat=length)
        )
        if re.fullmatch(pattern, text)
    ]
    beginnings = {match[:end] for match in matches for end in range(len(match) + 1)}
    # Only the letters of the oracle's alphabet: [^b] allows many others.
    ordinary = [
        i for i in range(tokenizer.vocab_size) if i not in tokenizer.special_tokens.values()
    ]
    letters = [i for i in ordinary if set(tokenizer.token_bytes(i)) <= set("abx1éè".encode())]
    compiled = compiler.compile(Constraint.regex(pattern))
    waiting = [(b"", compiled.start())]
    n_seen = 0
    while waiting:
        text, state = waiting.pop()
        n_seen += 1
        allowed_V = state.allowed_mask()
        expected = {i for i in letters if text + tokenizer.token_bytes(i) in beginnings}
        assert {i for i in letters if allowed_V[i]} == expected, text
        assert state.finished == (text in matches)
        assert {i for i in tokenizer.stop_ids if allowed_V[i]} == (
            set(tokenizer.stop_ids) if text in matches else set()
        )
        for token_id in expected:
            grown = text + tokenizer.token_bytes(token_id)
            if len(grown) <= 3:
                follower = compiled.start()
                for step in path_of(compiled, state, token_id):
                    follower.accept(step)
                follower._path = path_of(compiled, state, token_id)  # type: ignore[attr-defined]
                waiting.append((grown, follower))
    assert n_seen > 1


def path_of(compiled: CompiledConstraint, state: ConstraintState, token_id: int) -> list[int]:
    return [*getattr(state, "_path", []), token_id]


def test_every_way_to_cut_a_text_into_tokens_is_allowed() -> None:
    """Two ids of the same bytes are both allowed, ids of no bytes never."""
    vocabulary = ConstraintVocabulary((b"a", b"a", b"ab", b"b", b"", b"</s>"), (5,))
    matcher = build_matcher(
        vocabulary.engine, grammar_text(Constraint.regex("ab")), ConstraintLimits().engine_limits()
    )
    compiled = CompiledConstraint(
        matcher=matcher, vocabulary=vocabulary, stop_ids=frozenset({5}), vocab_size=9, is_json=False
    )
    assert allowed_ids(compiled.start()) == [0, 1, 2]
    state = compiled.start()
    state.accept(1)
    assert allowed_ids(state) == [3]
    state.accept(3)
    assert allowed_ids(state) == [5]
    assert state.finished and state.must_stop
    assert state.allowed_mask().shape == (9,)


@QUICK
@given(data=st.data(), seed=st.integers(0, 2**32))
def test_rolled_back_equals_replayed(
    compiler: ConstraintCompiler, data: st.DataObject, seed: int
) -> None:
    schema = {"type": "object", "additionalProperties": {"type": ["number", "string", "array"]}}
    compiled = compiler.compile(Constraint.json_schema(schema))
    state, path = compiled.start(), []
    for _ in range(data.draw(st.integers(1, 25))):
        if state.must_stop:
            break
        path.append(data.draw(st.sampled_from(allowed_ids(state))))
        state.accept(path[-1])
    n_undone = data.draw(st.integers(0, len(path)))
    state.rollback(n_undone)
    replayed = compiled.start()
    for token_id in path[: len(path) - n_undone]:
        replayed.accept(token_id)
    assert torch.equal(state.allowed_mask(), replayed.allowed_mask())
    assert (state.finished, state.must_stop) == (replayed.finished, replayed.must_stop)
    assert state.validate(path[len(path) - n_undone :]) == n_undone


def test_validate_counts_what_can_be_accepted_and_changes_nothing(
    compiler: ConstraintCompiler, tokenizer: Tokenizer
) -> None:
    (stop,) = set(list(tokenizer.stop_ids)[:1])
    state = compiler.compile(Constraint.regex("ab+"), stop_ids=[stop]).start()
    a, b, x = (tokenizer.encode(letter)[0] for letter in "abx")
    before = state.allowed_mask()
    assert state.validate([a, b, b, x, b]) == 3
    assert state.validate([a, stop]) == 1
    assert state.validate([a, b, stop, b]) == 3
    assert state.validate([x]) == state.validate([]) == state.validate([10**9]) == 0
    assert torch.equal(state.allowed_mask(), before)


def test_calls_against_the_mask_raise_and_change_nothing(
    compiler: ConstraintCompiler, tokenizer: Tokenizer
) -> None:
    stop = min(tokenizer.stop_ids)
    state = compiler.compile(Constraint.regex("ab"), stop_ids=[stop]).start()
    a, b = (tokenizer.encode(letter)[0] for letter in "ab")
    for wrong in (b, stop, 10**9, -1):
        with pytest.raises(ValueError, match=f"token {wrong}"):
            state.accept(wrong)
    with pytest.raises(ValueError, match="rollback of 1"):
        state.rollback(1)
    for token_id in (a, b, stop):
        state.accept(token_id)
    with pytest.raises(ValueError, match="after the end"):
        state.accept(a)
    assert not state.allowed_mask().any()
    state.rollback(2)
    assert b in allowed_ids(state)


def test_a_mask_stays_as_it_was_given(compiler: ConstraintCompiler, tokenizer: Tokenizer) -> None:
    state = compiler.compile(Constraint.regex("ab")).start()
    mask_V = state.allowed_mask()
    kept_V = mask_V.clone()
    state.accept(tokenizer.encode("a")[0])
    state.allowed_mask()[:] = False
    assert torch.equal(mask_V, kept_V)
    assert state.allowed_mask().any()


def test_answers_of_one_constraint_do_not_disturb_each_other(
    compiler: ConstraintCompiler, tokenizer: Tokenizer
) -> None:
    compiled = compiler.compile(Constraint.regex("a+b"))
    a, b = (tokenizer.encode(letter)[0] for letter in "ab")
    first, second = compiled.start(), compiled.start()
    first.accept(a)
    assert b in allowed_ids(first) and b not in allowed_ids(second)


def test_numbers_and_spaces_are_bounded(compiler: ConstraintCompiler, tokenizer: Tokenizer) -> None:
    """A model that loves digits, or spaces, still comes to an end."""
    schema = object_schema({"a": {"type": "number"}}, 1, False)
    for loved in (b"7", b" "):
        state = compiler.compile(Constraint.json_schema(schema)).start()
        text = b""
        for _ in range(200):
            if state.finished:
                break
            ids = allowed_ids(state)
            ids.sort(
                key=lambda i: (tokenizer.token_bytes(i) != loved, len(tokenizer.token_bytes(i)))
            )
            if set(tokenizer.token_bytes(ids[0])) <= set(b"eE.-"):
                ids = [i for i in ids if tokenizer.token_bytes(i) == b"}"] or ids
            state.accept(ids[0])
            text += tokenizer.token_bytes(ids[0])
        assert len(json.loads(text)) >= 1 and len(text) < 150, text


def test_limits_met_on_the_way_end_this_request_only(tokenizer: Tokenizer) -> None:
    vocabulary = ConstraintVocabulary.of(tokenizer)
    grammar = grammar_text(Constraint.regex("(a|b)*a(a|b){40}"))
    limits = {**ConstraintLimits().engine_limits(), "max_lexer_states": 60}
    state, other = (
        CompiledConstraint(
            matcher=build_matcher(vocabulary.engine, grammar, limits),
            vocabulary=vocabulary,
            stop_ids=frozenset(),
            vocab_size=vocabulary.n_ids,
            is_json=False,
        ).start()
        for _ in range(2)
    )
    generator = np.random.default_rng(0)
    with pytest.raises(UserError, match="too complex while the answer grew"):
        for _ in range(500):
            state.accept(int(generator.choice(allowed_ids(state))))
    with pytest.raises(UserError, match="too complex"):
        state.allowed_mask()
    assert not state.finished
    assert other.allowed_mask().any()
