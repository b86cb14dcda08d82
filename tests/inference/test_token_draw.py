"""The fast draw equals the plain one to the bit, and both draw what the settings say."""

import math

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy.stats import chisquare
from transformers import (
    MinPLogitsWarper,
    TemperatureLogitsWarper,
    TopKLogitsWarper,
)

from herd.inference import SamplingConfig
from herd.inference.token_draw import draw, draw_plainly, kept_weights

QUICK = settings(max_examples=60, deadline=None)
CONFIGS = st.builds(
    SamplingConfig,
    temperature=st.sampled_from([1e-45, 1e-3, 0.3, 0.6, 1.0, 2.5, 1e4]),
    top_p=st.sampled_from([1e-9, 0.05, 0.5, 0.9, 0.999, 1.0 - 1e-16, 1.0]),
    top_k=st.sampled_from([0, 1, 2, 40, 5000, 10**9]),
    min_p=st.sampled_from([0.0, 0.05, 0.5, 1.0]),
)
UNIFORMS = (0.0, 1e-17, 0.25, 0.5, 0.75, 0.999999, 1.0 - 2.0**-53)


def logits_of_shape(kind: str, n: int, seed: int) -> np.ndarray:
    random = np.random.default_rng(seed)
    logits = random.standard_normal(n).astype(np.float32)
    if kind == "peaked":
        logits *= 8
    elif kind == "flat":
        logits *= 0.01
    elif kind == "equal":
        logits[:] = -2.5
    elif kind == "ties":
        logits = np.round(logits * 2) / 2
    elif kind == "forbidden":
        logits[random.random(n) < 0.9] = -np.inf
        logits[random.integers(n)] = 0.5
    elif kind == "spread":
        logits *= 1e30
    return logits


@QUICK
@given(
    kind=st.sampled_from(["normal", "peaked", "flat", "equal", "ties", "forbidden", "spread"]),
    n=st.sampled_from([1, 2, 7, 100, 3000, 20_000]),
    seed=st.integers(0, 2**32 - 1),
    config=CONFIGS,
)
def test_the_fast_draw_equals_the_plain_one(
    kind: str, n: int, seed: int, config: SamplingConfig
) -> None:
    logits_V = logits_of_shape(kind, n, seed)
    uniforms = [*UNIFORMS, *np.random.default_rng(seed).random(5).tolist()]
    fast = [draw(logits_V, config, u) for u in uniforms]
    assert fast == [draw_plainly(logits_V, config, u) for u in uniforms]
    kept_V = kept_weights(logits_V, config)
    assert all(kept_V[token] > 0 for token in fast)


@QUICK
@given(seed=st.integers(0, 2**32 - 1), n=st.sampled_from([3, 50, 5000]), config=CONFIGS)
def test_a_constant_added_to_all_logits_changes_nothing(
    seed: int, n: int, config: SamplingConfig
) -> None:
    logits_V = (np.random.default_rng(seed).integers(-64, 64, n) / 8).astype(np.float32)
    for u in UNIFORMS:
        assert draw(logits_V, config, u) == draw(logits_V + np.float32(32.0), config, u)


@QUICK
@given(seed=st.integers(0, 2**32 - 1), config=CONFIGS, u=st.sampled_from(UNIFORMS))
def test_tokens_that_cannot_be_drawn_change_nothing(
    seed: int, config: SamplingConfig, u: float
) -> None:
    logits_V = logits_of_shape("normal", 50, seed)
    padded_V = np.concatenate([logits_V, np.full(4000, -np.inf, dtype=np.float32)])
    assert draw(logits_V, config, u) == draw(padded_V, config, u)


@pytest.mark.parametrize("n", [200, 30_000])
def test_top_k_of_one_is_greedy_however_hot(n: int) -> None:
    logits_V = logits_of_shape("normal", n, 4)
    hot = SamplingConfig(temperature=1e6, top_k=1)
    assert {draw(logits_V, hot, u) for u in UNIFORMS} == {int(logits_V.argmax())}


def test_of_equal_logits_the_lower_ids_are_kept() -> None:
    logits_V = np.array([1.0, 2.0, 1.0, 1.0, 2.0], dtype=np.float32)
    assert kept_weights(logits_V, SamplingConfig(top_k=3, top_p=1.0)).nonzero()[0].tolist() == [
        0,
        1,
        4,
    ]
    half = kept_weights(np.zeros(8, dtype=np.float32), SamplingConfig(top_p=0.5))
    # Meta's rule keeps the token before which exactly p has been passed.
    assert half.nonzero()[0].tolist() == [0, 1, 2, 3, 4]


@pytest.mark.parametrize(
    "config",
    [
        SamplingConfig(temperature=1.0, top_p=1.0),
        SamplingConfig(),
        SamplingConfig(temperature=1.3, top_p=0.8, top_k=30, min_p=0.05),
    ],
    ids=["pure", "default", "all"],
)
def test_tokens_come_as_often_as_their_probability_says(config: SamplingConfig) -> None:
    logits_V = logits_of_shape("normal", 40, 11) * np.float32(1.5)
    weights_V = kept_weights(logits_V, config).astype(np.float64)
    uniforms = np.random.default_rng(12).random(20_000)
    counts_V = np.bincount([draw(logits_V, config, u) for u in uniforms], minlength=40)
    kept = weights_V > 0
    assert counts_V[~kept].sum() == 0
    expected = weights_V[kept] / weights_V.sum() * len(uniforms)
    assert chisquare(counts_V[kept], expected).pvalue > 1e-3


def test_pure_sampling_follows_the_softmax_in_float64() -> None:
    logits_V = logits_of_shape("peaked", 5000, 3)
    config = SamplingConfig(temperature=0.7, top_p=1.0)
    found = kept_weights(logits_V, config).astype(np.float64)
    exact = np.exp((logits_V.astype(np.float64) - logits_V.max()) / 0.7)
    np.testing.assert_allclose(found / found.sum(), exact / exact.sum(), rtol=1e-5, atol=1e-10)


@QUICK
@given(
    seed=st.integers(0, 2**32 - 1),
    temperature=st.sampled_from([0.5, 1.0, 1.7]),
    top_k=st.sampled_from([1, 3, 20, 60]),
    min_p=st.sampled_from([0.0, 0.02, 0.3]),
)
def test_top_k_and_min_p_keep_what_transformers_keeps(
    seed: int, temperature: float, top_k: int, min_p: float
) -> None:
    logits_V = logits_of_shape("normal", 50, seed) * np.float32(2)
    scores_1V = torch.from_numpy(logits_V)[None]
    for warper in (
        TemperatureLogitsWarper(temperature),
        TopKLogitsWarper(top_k),
        MinPLogitsWarper(min_p),
    ):
        scores_1V = warper(torch.zeros(1, 1, dtype=torch.long), scores_1V)
    config = SamplingConfig(temperature=temperature, top_p=1.0, top_k=top_k, min_p=min_p)
    found_V = torch.from_numpy(kept_weights(logits_V, config))
    torch.testing.assert_close(
        found_V / found_V.sum(), scores_1V[0].softmax(-1), atol=1e-6, rtol=1e-5
    )


def test_a_rounding_error_in_two_near_ties_draws_the_same_token() -> None:
    """In the order of ids; in the order of likelihood they would change places."""
    logits_V = np.array([0.0, 1.0, 1.0, 0.5], dtype=np.float32)
    for shift in (1e-6, -1e-6):
        shifted_V = logits_V.copy()
        shifted_V[2] += np.float32(shift)
        drawn = [
            draw(shifted_V, SamplingConfig(temperature=1.0, top_p=1.0), u / 97) for u in range(97)
        ]
        assert drawn == sorted(drawn)
        assert drawn == [
            draw(logits_V, SamplingConfig(temperature=1.0, top_p=1.0), u / 97) for u in range(97)
        ]


def test_the_exponential_is_the_same_wherever_a_number_stands() -> None:
    """What makes a subset of the vocabulary weigh the same as the whole."""
    values = torch.from_numpy(-np.abs(logits_of_shape("peaked", 999, 1)))
    whole = values.exp()
    for start, stop in ((0, 1), (3, 20), (17, 999), (500, 507)):
        assert torch.equal(values[start:stop].clone().exp(), whole[start:stop])
    assert not math.isnan(float(whole.sum()))
