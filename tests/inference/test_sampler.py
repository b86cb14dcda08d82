"""The sampler draws from the distribution that the plain rules give, and a seed replays it."""

import math

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from herd.foundation import UserError
from herd.inference import Sampler, SamplingConfig, next_token_probabilities

QUICK = settings(max_examples=150, deadline=None)
LOGITS = st.lists(st.integers(-80, 80).map(lambda n: n / 8), min_size=1, max_size=12)
CONFIGS = st.builds(
    SamplingConfig,
    temperature=st.sampled_from([0.01, 0.3, 0.6, 1.0, 2.5]),
    top_p=st.sampled_from([0.05, 0.5, 0.9, 0.999, 1.0]),
    top_k=st.integers(0, 14),
)


def plain_probabilities(logits: list[float], config: SamplingConfig) -> list[float]:
    """The same rules, one token at a time in Python floats; ties go to the lower id."""
    order = sorted(range(len(logits)), key=lambda i: -logits[i])
    if config.top_k:
        order = order[: config.top_k]
    weights = {i: math.exp((logits[i] - max(logits)) / config.temperature) for i in order}
    total = sum(weights.values())
    kept, before = {}, 0.0
    for i in order:
        if before <= config.top_p:
            kept[i] = weights[i] / total
        before += weights[i] / total
    mass = sum(kept.values())
    return [kept.get(i, 0.0) / mass for i in range(len(logits))]


@QUICK
@given(logits=LOGITS, config=CONFIGS)
def test_probabilities_equal_the_plain_rules(logits: list[float], config: SamplingConfig) -> None:
    distinct = [logit + i * 1e-3 for i, logit in enumerate(logits)]  # ties have no one answer
    found = next_token_probabilities(torch.tensor([distinct]), config)[0]
    expected = torch.tensor(plain_probabilities(torch.tensor(distinct).tolist(), config))
    assert_equal_up_to_the_edge(found, expected, config)


def assert_equal_up_to_the_edge(
    found: torch.Tensor, expected: torch.Tensor, config: SamplingConfig
) -> None:
    """Float32 sums may put the token at the very edge of top-p on the other side."""
    if config.top_p == 1.0 or (found > 0).eq(expected > 0).all():
        torch.testing.assert_close(found, expected, atol=1e-5, rtol=1e-4)
    else:
        mass = min(float(found[expected > 0].sum()), float(expected[found > 0].sum()))
        assert abs(mass - 1.0) < 1e-3


@QUICK
@given(logits=LOGITS, config=CONFIGS)
def test_probabilities_are_a_distribution_that_keeps_the_likeliest(
    logits: list[float], config: SamplingConfig
) -> None:
    found = next_token_probabilities(torch.tensor([logits, logits[::-1]]), config)
    torch.testing.assert_close(found.sum(-1), torch.ones(2))
    assert (found >= 0).all()
    assert logits[int(found[0].argmax())] == max(logits)


def test_draws_follow_the_probabilities() -> None:
    logits_BV = torch.tensor([[2.0, 1.0, 0.0, -1.0]]).repeat(20_000, 1)
    config = SamplingConfig(temperature=0.8, top_p=0.95)
    ids_B, _ = Sampler(config, seed=5).sample(logits_BV)
    shares = torch.bincount(ids_B, minlength=4) / len(ids_B)
    expected = next_token_probabilities(logits_BV[:1], config)[0]
    # Five standard deviations of a share drawn 20,000 times.
    assert (shares - expected).abs().max() < 5 * (0.25 / 20_000) ** 0.5
    assert shares[3] == 0


def test_temperature_zero_takes_the_likeliest_and_needs_no_randomness() -> None:
    logits_BV = torch.tensor([[0.0, 3.0, 1.0], [9.0, -1.0, 8.0]])
    ids_B, logprobs_B = Sampler(SamplingConfig(temperature=0.0)).sample(logits_BV)
    assert ids_B.tolist() == [1, 0]
    torch.testing.assert_close(logprobs_B, logits_BV.log_softmax(-1).amax(-1))


@pytest.mark.parametrize("temperature", [1e-30, 1e-6])
def test_a_tiny_temperature_is_greedy_and_finite(temperature: float) -> None:
    found = next_token_probabilities(
        torch.tensor([[1000.0, 999.0, -5.0]]), SamplingConfig(temperature=temperature)
    )
    assert found.tolist() == [[1.0, 0.0, 0.0]]


def test_a_seed_replays_and_the_global_state_is_left_alone() -> None:
    logits_BV = torch.zeros(64, 1000)
    before = torch.get_rng_state()
    draws = [Sampler(SamplingConfig(), seed=seed).sample(logits_BV)[0] for seed in (7, 7, 8)]
    assert torch.equal(draws[0], draws[1])
    assert not torch.equal(draws[0], draws[2])
    assert torch.equal(torch.get_rng_state(), before)


def test_without_a_seed_draws_differ() -> None:
    first, second = (Sampler(SamplingConfig()).sample(torch.zeros(64, 1000))[0] for _ in range(2))
    assert not torch.equal(first, second)


@pytest.mark.parametrize(
    ("field", "value"),
    [
        ("temperature", -0.1),
        ("temperature", float("nan")),
        ("temperature", float("inf")),
        ("top_p", 0.0),
        ("top_p", 1.1),
        ("top_p", float("nan")),
        ("top_k", -1),
    ],
)
def test_values_out_of_range_are_refused_by_name(field: str, value: float) -> None:
    with pytest.raises(UserError, match=f"{field} is {value}"):
        SamplingConfig(**{field: value})


def test_logits_that_are_no_numbers_are_one_clear_line() -> None:
    for temperature in (0.0, 1.0):
        with pytest.raises(UserError, match="NaN"):
            Sampler(SamplingConfig(temperature=temperature)).sample(torch.full((1, 4), math.nan))


def test_a_seed_beyond_64_bits_is_refused() -> None:
    with pytest.raises(UserError, match="64 bits"):
        Sampler(SamplingConfig(), seed=10**30)
