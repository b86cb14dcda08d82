"""Settings become a request; what is misspelt is not passed over."""

import pytest

from herd.foundation import UserError
from herd.inference import (
    Constraint,
    ConstraintCompiler,
    Request,
    Settings,
    check_settings,
    request_of,
)
from herd.tokenizer import Tokenizer, train_bpe


@pytest.fixture(scope="module")
def tokenizer() -> Tokenizer:
    return train_bpe(["one two"], vocab_size=257, special_tokens=("<|endoftext|>",))


def build(tokenizer: Tokenizer, settings: Settings) -> Request:
    with ConstraintCompiler(tokenizer) as compiler:
        return request_of(
            [1], settings, stop_ids=frozenset({256}), vocab_size=257, compiler=lambda: compiler
        )


def test_settings_go_where_they_belong(tokenizer: Tokenizer) -> None:
    request = build(
        tokenizer,
        {"temperature": 0.0, "min_p": 0.1, "stop": "x", "seed": 7, "max_new_tokens": 3},
    )
    assert (request.sampling.temperature, request.sampling.min_p) == (0.0, 0.1)
    assert (request.stop, request.seed, request.max_new_tokens) == (("x",), 7, 3)
    assert build(tokenizer, {"stop": ["x", "y"]}).stop == ("x", "y")
    assert build(tokenizer, {}).constraint is None


def test_a_constraint_is_compiled(tokenizer: Tokenizer) -> None:
    constraint = build(tokenizer, {"constraint": Constraint.regex("a")}).constraint
    assert constraint is not None
    allowed = constraint.start().allowed_mask()
    assert allowed.nonzero()[:, 0].tolist() == [tokenizer.encode("a")[0]]


@pytest.mark.parametrize(
    ("name", "words"), [("temprature", "did you mean temperature"), ("zzz", "there are max_new")]
)
def test_an_unknown_setting_is_refused(name: str, words: str, tokenizer: Tokenizer) -> None:
    with pytest.raises(UserError, match=f"there is no setting {name}; {words}"):
        build(tokenizer, {name: 1})


@pytest.mark.parametrize(
    "settings", [{"stop": 5}, {"constraint": {"type": "object"}}, {"constraint": "x"}]
)
def test_settings_of_a_wrong_type_are_refused(settings: Settings, tokenizer: Tokenizer) -> None:
    with pytest.raises(UserError, match="give a string|make one with"):
        build(tokenizer, settings)
    with pytest.raises(UserError, match="give a string|make one with"):
        check_settings(settings)


@pytest.mark.parametrize(
    ("settings", "words"),
    [
        ({"temperature": -1.0}, "temperature is -1.0"),
        ({"max_new_tokens": -1}, "max_new_tokens is -1"),
        ({"min_new_tokens": 9, "max_new_tokens": 3}, "min_new_tokens is 9"),
        ({"seed": 2**70}, "fits 64 bits"),
    ],
)
def test_settings_are_checked_before_there_is_a_model(settings: Settings, words: str) -> None:
    check_settings({})
    with pytest.raises(UserError, match=words):
        check_settings(settings)
