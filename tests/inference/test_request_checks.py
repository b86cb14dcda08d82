"""Settings that make no sense, alone or together, are one clear line that names them."""

import math

import pytest
from hypothesis import given
from hypothesis import strategies as st

from herd.foundation import UserError
from herd.inference import Request, SamplingConfig

BAN = -math.inf


def request(**fields: object) -> Request:
    return Request(**{"prompt": (1,), "max_new_tokens": 3, **fields})  # type: ignore[arg-type]


@pytest.mark.parametrize(
    ("fields", "said"),
    [
        ({"prompt": ()}, "prompt is empty"),
        ({"max_new_tokens": -1}, "max_new_tokens is -1"),
        ({"max_new_tokens": 2.5}, "max_new_tokens is 2.5: give a whole number"),
        ({"max_new_tokens": True}, "max_new_tokens is True"),
        ({"min_new_tokens": -1}, "min_new_tokens is -1"),
        ({"min_new_tokens": 4}, "min_new_tokens is 4, but max_new_tokens is 3"),
        ({"n_samples": 0}, "n_samples is 0"),
        ({"n_top_logprobs": -1}, "n_top_logprobs is -1: give 0 to 1,000"),
        ({"n_top_logprobs": 1001}, "n_top_logprobs is 1001: give 0 to 1,000"),
        ({"seed": 2**63}, "64 bits"),
        ({"seed": -(2**63) - 1}, "64 bits"),
        ({"seed": 1.0}, "seed is 1.0: give a whole number"),
        ({"seed": 2**63 - 2, "n_samples": 3}, r"n_samples 3: sample i draws from seed \+ i"),
        ({"stop": "END"}, "stop is 'END': give a tuple of strings"),
        ({"stop": None}, "stop is None: give a tuple of strings"),
        ({"stop": ("a", 7)}, "stop holds 7: give strings"),
        ({"stop": ("a", "")}, "stop string is empty"),
        ({"stop": ("a\ud800",)}, "half a surrogate pair"),
        ({"stop_ids": frozenset({"a"})}, "stop_ids holds 'a'"),
        ({"stop_ids": frozenset({-1})}, "stop_ids holds -1"),
        ({"vocab_size": 0}, "vocab_size is 0"),
        (
            {"vocab_size": 50, "sampling": SamplingConfig(logit_bias={50: 1.0})},
            "logit_bias names token 50, but the vocabulary has 50: give ids from 0 to 49",
        ),
        (
            {"vocab_size": 2, "sampling": SamplingConfig(logit_bias={0: BAN, 1: BAN})},
            "forbid all 2 tokens",
        ),
        (
            {
                "vocab_size": 2,
                "sampling": SamplingConfig(logit_bias={0: BAN}),
                "stop_ids": frozenset({1}),
                "min_new_tokens": 1,
            },
            "forbid all 2 tokens",
        ),
    ],
)
def test_a_request_that_makes_no_sense_is_refused(fields: dict[str, object], said: str) -> None:
    with pytest.raises(UserError, match=said) as refusal:
        request(**fields)
    assert "\n" not in str(refusal.value)


@pytest.mark.parametrize(
    ("fields", "said"),
    [
        ({"temperature": "0.7"}, "temperature is '0.7'"),
        ({"temperature": True}, "temperature is True"),
        ({"temperature": 1e7}, "temperature is 10000000.0: give 0"),
        ({"temperature": 10**400}, "temperature is 1000"),
        ({"top_p": math.inf}, "top_p is inf"),
        ({"top_k": 5.0}, "top_k is 5.0"),
        ({"min_p": -0.1}, "min_p is -0.1"),
        ({"min_p": 1.5}, "min_p is 1.5"),
        ({"repetition_penalty": 0.0}, "repetition_penalty is 0.0"),
        ({"repetition_penalty": math.nan}, "repetition_penalty is nan"),
        ({"frequency_penalty": 2.5}, "frequency_penalty is 2.5"),
        ({"presence_penalty": -math.inf}, "presence_penalty is -inf"),
        ({"logit_bias": [3]}, r"logit_bias is \[3\]: give a mapping"),
        ({"logit_bias": {"3": 1.0}}, "names token '3'"),
        ({"logit_bias": {-3: 1.0}}, "names token -3"),
        ({"logit_bias": {3: math.nan}}, "logit_bias of token 3 is nan"),
        ({"logit_bias": {3: math.inf}}, "logit_bias of token 3 is inf"),
        ({"logit_bias": {3: -100.5}}, "logit_bias of token 3 is -100.5: give -100 to 100, or -inf"),
    ],
)
def test_sampling_settings_out_of_range_are_refused(fields: dict[str, object], said: str) -> None:
    with pytest.raises(UserError, match=said) as refusal:
        SamplingConfig(**fields)  # type: ignore[arg-type]
    assert len(str(refusal.value)) < 300


def test_settings_at_their_limits_are_accepted() -> None:
    sampling = SamplingConfig(
        temperature=0.0, top_p=1.0, min_p=1.0, top_k=10**9, logit_bias={0: BAN, 1: 100, 2: -100.0}
    )
    assert sampling.banned_ids == {0}
    request(seed=2**63 - 1, n_top_logprobs=1000, min_new_tokens=3)
    request(seed=-(2**63), n_samples=16, vocab_size=4, sampling=sampling, stop=("END",))


def test_a_bias_changed_afterwards_by_the_caller_changes_nothing() -> None:
    bias = {1: 2.0}
    sampling = SamplingConfig(logit_bias=bias)
    bias[1] = math.nan
    assert sampling.logit_bias == {1: 2.0}


@given(value=st.one_of(st.none(), st.floats(), st.text(max_size=3), st.integers(), st.booleans()))
def test_whatever_a_field_holds_it_is_taken_or_refused_as_a_user_error(value: object) -> None:
    for name in ("temperature", "top_p", "top_k", "min_p", "repetition_penalty"):
        try:
            SamplingConfig(**{name: value})  # type: ignore[arg-type]
        except UserError as refusal:
            assert str(refusal).startswith(f"{name} is")
