"""The sampler draws from the distribution that the plain rules give, a seed replays it, and a row
draws the same whatever else is in its batch.
"""

import math

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from herd.foundation import UserError
from herd.inference import Sampler, SamplingConfig, next_token_probabilities
from herd.inference.sampler import Drawn, SamplingRow, sample_rows, seeded_generator

QUICK = settings(max_examples=100, deadline=None)
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


ROW_CONFIGS = [
    SamplingConfig(temperature=0.0),
    SamplingConfig(),
    SamplingConfig(temperature=1.0, top_p=1.0),
    SamplingConfig(temperature=1.4, top_k=25, min_p=0.01, repetition_penalty=1.2),
    SamplingConfig(presence_penalty=0.5, frequency_penalty=0.1, logit_bias={3: 4.0, 5: -math.inf}),
]


def row_of(seed: int, config: SamplingConfig, **more: object) -> SamplingRow:
    settings = {"prompt_tokens": (1, 2, 3), "new_tokens": [], "vocab_size": 97, **more}
    return SamplingRow(config=config, generator=seeded_generator(seed), **settings)  # type: ignore[arg-type]


def some_logits(n_rows: int, n_ids: int, seed: int) -> torch.Tensor:
    return 3 * torch.randn(n_rows, n_ids, generator=torch.Generator().manual_seed(seed))


def draw_answers(logits_SRV: torch.Tensor, choice: list[int]) -> list[list[Drawn]]:
    """Let the chosen sequences draw together for S steps; return what each drew."""
    answers: list[list[int]] = [[] for _ in choice]
    rows = [
        row_of(i, ROW_CONFIGS[i % len(ROW_CONFIGS)], new_tokens=answer, n_top_logprobs=3)
        for i, answer in zip(choice, answers, strict=True)
    ]
    drawn: list[list[Drawn]] = [[] for _ in choice]
    for logits_RV in logits_SRV:
        for one, answer, record in zip(
            sample_rows(logits_RV[choice], rows), answers, drawn, strict=True
        ):
            answer.append(one.id)
            record.append(one)
    return drawn


@settings(max_examples=20, deadline=None)
@given(choice=st.lists(st.integers(0, 9), min_size=1, max_size=6, unique=True))
def test_a_row_draws_the_same_to_the_bit_whatever_else_is_in_the_batch(choice: list[int]) -> None:
    logits_SRV = torch.stack([some_logits(10, 97, step) for step in range(8)])
    alone = [draw_answers(logits_SRV, [i])[0] for i in choice]
    assert draw_answers(logits_SRV, choice) == alone


@pytest.mark.parametrize("config", ROW_CONFIGS)
def test_the_plain_sampler_draws_what_rows_draw(config: SamplingConfig) -> None:
    sampler = Sampler(config, seed=4, prompt_tokens=(1, 2, 3))
    answer: list[int] = []
    row = row_of(4, config, new_tokens=answer)
    for step in range(12):
        logits_1V = some_logits(1, 97, step)
        drawn = sample_rows(logits_1V, [row])[0]
        answer.append(drawn.id)
        id_1, logprob_1 = sampler.sample(logits_1V)
        assert (id_1.item(), logprob_1.item()) == (drawn.id, drawn.logprob)


def test_a_row_of_no_numbers_fails_alone() -> None:
    logits_RV = some_logits(4, 97, 0)
    expected = sample_rows(logits_RV, [row_of(i, SamplingConfig()) for i in range(4)])
    for row, bad in ((1, math.nan), (2, math.inf)):
        broken_RV = logits_RV.clone()
        broken_RV[row, 11] = bad
        drawn = sample_rows(broken_RV, [row_of(i, SamplingConfig()) for i in range(4)])
        assert drawn[row].error is not None
        assert "NaN" in drawn[row].error
        assert "\n" not in drawn[row].error
        assert [d for i, d in enumerate(drawn) if i != row] == [
            d for i, d in enumerate(expected) if i != row
        ]


def test_logits_that_a_penalty_makes_infinite_are_an_error_of_their_row() -> None:
    logits_RV = torch.full((2, 97), 3e38)
    rewarded = SamplingConfig(repetition_penalty=0.01)
    drawn = sample_rows(logits_RV, [row_of(0, rewarded), row_of(0, SamplingConfig())])
    assert [bool(one.error) for one in drawn] == [True, False]


def test_a_row_of_which_nothing_is_allowed_says_so() -> None:
    nothing = torch.zeros(97, dtype=torch.bool)
    rows = [
        row_of(0, SamplingConfig(), allowed_mask=nothing),
        row_of(0, SamplingConfig(temperature=0.0), banned_ids=range(97)),
        row_of(0, SamplingConfig()),
    ]
    drawn = sample_rows(some_logits(3, 97, 0), rows)
    assert [bool(d.error) for d in drawn] == [True, True, False]
    assert "no token is left" in str(drawn[0].error)


@settings(max_examples=30, deadline=None)
@given(seed=st.integers(0, 999), config=st.sampled_from(ROW_CONFIGS), n_allowed=st.integers(1, 5))
def test_only_allowed_tokens_of_the_vocabulary_are_drawn(
    seed: int, config: SamplingConfig, n_allowed: int
) -> None:
    allowed = {(seed * 7 + 11 * i) % 90 for i in range(n_allowed)} - {5}
    mask = torch.zeros(120, dtype=torch.bool)
    mask[list(allowed | {95, 110})] = True  # padding of the output matrix, allowed by mistake
    row = row_of(seed, config, allowed_mask=mask, vocab_size=90, banned_ids=(91, 200))
    drawn = sample_rows(some_logits(1, 120, seed), [row])[0]
    assert drawn.id in allowed or (not allowed and drawn.error)


def test_log_probabilities_are_those_of_the_unchanged_logits_of_the_vocabulary() -> None:
    logits_RV = some_logits(5, 120, 1)
    rows = [row_of(i, config, n_top_logprobs=4) for i, config in enumerate(ROW_CONFIGS)]
    expected_RV = logits_RV[:, :97].double().log_softmax(-1)
    for i, drawn in enumerate(sample_rows(logits_RV, rows)):
        assert drawn.logprob == pytest.approx(expected_RV[i, drawn.id].item(), abs=1e-5)
        best = expected_RV[i].topk(4)
        assert [top.id for top in drawn.top_logprobs] == best.indices.tolist()
        assert [top.logprob for top in drawn.top_logprobs] == pytest.approx(
            best.values.tolist(), abs=1e-5
        )


def test_more_top_log_probabilities_than_tokens_are_all_of_them_ties_by_id() -> None:
    row = row_of(0, SamplingConfig(temperature=0.0), vocab_size=3, n_top_logprobs=10)
    drawn = sample_rows(torch.tensor([[1.0, 2.0, 1.0, 9.0]]), [row])[0]
    assert (drawn.id, [top.id for top in drawn.top_logprobs]) == (1, [1, 0, 2])


def test_greedy_draws_no_number_and_others_draw_one_each() -> None:
    rows = [row_of(3, SamplingConfig(temperature=0.0)), row_of(3, SamplingConfig(top_p=1e-6))]
    for step in range(5):
        sample_rows(some_logits(2, 97, step), rows)
    untouched, five_on = seeded_generator(3), seeded_generator(3)
    torch.rand(5, generator=five_on, dtype=torch.float64)
    assert torch.equal(rows[0].generator.get_state(), untouched.get_state())
    assert torch.equal(rows[1].generator.get_state(), five_on.get_state())


def test_as_many_rows_as_logits_are_needed_and_none_is_fine() -> None:
    assert sample_rows(torch.zeros(0, 97), []) == []
    with pytest.raises(ValueError, match="2 rows of logits for 1 sequences"):
        sample_rows(torch.zeros(2, 97), [row_of(0, SamplingConfig())])


def test_half_precision_logits_draw_like_the_same_numbers_in_float32() -> None:
    logits_RV = some_logits(3, 97, 2).bfloat16()
    drawn = [
        sample_rows(logits, [row_of(i, SamplingConfig()) for i in range(3)])
        for logits in (logits_RV, logits_RV.float())
    ]
    assert drawn[0] == drawn[1]
