"""Bias, penalties and bans do what naive loops do, and what peers do under the same names."""

import math

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from transformers import RepetitionPenaltyLogitsProcessor

from herd.foundation import UserError
from herd.inference import SamplingConfig
from herd.inference.logit_changes import LogitChanges

QUICK = settings(max_examples=60, deadline=None)
V = 30
TOKENS = st.lists(st.integers(0, V - 1), max_size=60)
BIASES = st.dictionaries(
    st.integers(0, V - 1), st.one_of(st.integers(-100, 100), st.just(-math.inf)), max_size=5
)
CONFIGS = st.builds(
    SamplingConfig,
    repetition_penalty=st.sampled_from([0.5, 1.0, 1.3]),
    frequency_penalty=st.sampled_from([-2.0, 0.0, 0.7]),
    presence_penalty=st.sampled_from([-0.5, 0.0, 2.0]),
    logit_bias=BIASES,
)


def some_logits(seed: int) -> np.ndarray:
    return (np.random.default_rng(seed).integers(-40, 40, V) / 8).astype(np.float32)


def changed(
    logits_V: np.ndarray, config: SamplingConfig, prompt: list[int], new: list[int]
) -> np.ndarray:
    changes = LogitChanges(config, prompt_tokens=prompt, new_tokens=new, vocab_size=V)
    return changes.apply(logits_V, (), None)


def change_naively(
    logits_V: np.ndarray, config: SamplingConfig, prompt: list[int], new: list[int]
) -> list[float]:
    result = []
    for token, logit in enumerate(logits_V.tolist()):
        logit += config.logit_bias.get(token, 0.0)
        if token in prompt or token in new:
            penalty = config.repetition_penalty
            logit = logit / penalty if logit > 0 else logit * penalty
        if token in new:
            logit -= config.presence_penalty + config.frequency_penalty * new.count(token)
        result.append(logit)
    return result


@QUICK
@given(seed=st.integers(0, 999), config=CONFIGS, prompt=TOKENS, new=TOKENS)
def test_logits_change_as_in_a_naive_loop(
    seed: int, config: SamplingConfig, prompt: list[int], new: list[int]
) -> None:
    logits_V = some_logits(seed)
    before_V = logits_V.copy()
    found_V = changed(logits_V, config, prompt, new)
    expected_V = np.array(change_naively(logits_V, config, prompt, new), dtype=np.float32)
    np.testing.assert_allclose(found_V, expected_V, rtol=1e-5, atol=1e-5)
    np.testing.assert_array_equal(logits_V, before_V)


@QUICK
@given(seed=st.integers(0, 999), config=CONFIGS, prompt=TOKENS, steps=st.lists(TOKENS, max_size=6))
def test_counting_as_tokens_come_equals_counting_all_again(
    seed: int, config: SamplingConfig, prompt: list[int], steps: list[list[int]]
) -> None:
    new: list[int] = []
    changes = LogitChanges(config, prompt_tokens=prompt, new_tokens=new, vocab_size=V)
    for step, tokens in enumerate(steps):
        new.extend(tokens)
        logits_V = some_logits(seed + step)
        np.testing.assert_array_equal(
            changes.apply(logits_V, (), None), changed(logits_V, config, prompt, list(new))
        )


@QUICK
@given(seed=st.integers(0, 999), penalty=st.sampled_from([0.6, 1.2, 5.0]), tokens=TOKENS)
def test_the_repetition_penalty_is_that_of_transformers(
    seed: int, penalty: float, tokens: list[int]
) -> None:
    logits_V = some_logits(seed)
    half = len(tokens) // 2
    found_V = changed(
        logits_V, SamplingConfig(repetition_penalty=penalty), tokens[:half], tokens[half:]
    )
    peer = RepetitionPenaltyLogitsProcessor(penalty)
    expected_1V = peer(torch.tensor([tokens], dtype=torch.long), torch.from_numpy(logits_V)[None])
    np.testing.assert_allclose(found_V, expected_1V[0].numpy(), rtol=1e-6)


@given(prompt=TOKENS, new=TOKENS)
def test_penalties_at_their_off_values_change_nothing(prompt: list[int], new: list[int]) -> None:
    logits_V = some_logits(1)
    assert changed(logits_V, SamplingConfig(), prompt, new) is logits_V


@QUICK
@given(seed=st.integers(0, 999), config=CONFIGS, banned=st.frozensets(st.integers(0, V + 9)))
def test_only_what_is_allowed_and_not_banned_stays(
    seed: int, config: SamplingConfig, banned: frozenset[int]
) -> None:
    logits_V = some_logits(seed)
    mask_V = torch.from_numpy(np.random.default_rng(seed).random(V + 3) < 0.5)
    changes = LogitChanges(config, prompt_tokens=(1, 2), new_tokens=[2, 5], vocab_size=V)
    plain_V = changes.apply(logits_V, (), None)
    found_V = changes.apply(logits_V, banned, mask_V)
    for token in range(V):
        stays = bool(mask_V[token]) and token not in banned
        assert found_V[token] == (plain_V[token] if stays else -math.inf)
    np.testing.assert_array_equal(logits_V, some_logits(seed))


def test_prompt_tokens_beyond_the_vocabulary_are_left_alone() -> None:
    found_V = changed(some_logits(0), SamplingConfig(repetition_penalty=2.0), [V, V + 100], [])
    np.testing.assert_array_equal(found_V, some_logits(0))


def test_a_bias_of_an_unknown_token_is_refused_with_the_vocabulary_size() -> None:
    with pytest.raises(UserError, match=r"logit_bias names token 30.*vocabulary has 30.*0 to 29"):
        changed(some_logits(0), SamplingConfig(logit_bias={V: 1.0}), [], [])


def test_an_answer_that_shrank_is_a_bug_that_shows() -> None:
    new = [1, 2]
    changes = LogitChanges(
        SamplingConfig(presence_penalty=1.0), prompt_tokens=(), new_tokens=new, vocab_size=V
    )
    changes.apply(some_logits(0), (), None)
    new.pop()
    with pytest.raises(ValueError, match="2 tokens counted, 1 left"):
        changes.apply(some_logits(0), (), None)
