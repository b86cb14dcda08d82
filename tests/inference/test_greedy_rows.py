"""Taking the likeliest where the logits lie equals taking it on the CPU."""

import math

import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st

from herd.inference import SamplingConfig
from herd.inference.greedy_rows import take_likeliest
from herd.inference.sampler import SamplingRow, sample_rows, seeded_generator

LOGITS = st.lists(st.integers(-16, 16).map(lambda n: n / 4), min_size=5, max_size=5)


def rows_of(vocab_sizes: list[int], **more: object) -> list[SamplingRow]:
    settings = {"config": SamplingConfig(temperature=0.0), **more}
    return [
        SamplingRow(
            generator=seeded_generator(0), prompt_tokens=(), new_tokens=(), vocab_size=n, **settings
        )  # type: ignore[arg-type]
        for n in vocab_sizes
    ]


@given(rows=st.lists(st.tuples(LOGITS, st.integers(1, 5)), min_size=1, max_size=4))
def test_the_likeliest_is_that_of_greedy_rows(rows: list[tuple[list[float], int]]) -> None:
    logits_RV = torch.tensor([logits for logits, _ in rows])
    sizes = [size for _, size in rows]
    drawn = sample_rows(logits_RV, rows_of(sizes))
    ids, logprobs = take_likeliest(logits_RV, sizes)
    assert ids == [one.id for one in drawn]
    assert logprobs == pytest.approx([one.logprob for one in drawn], abs=1e-6)


def test_numbers_that_are_none_are_found_out_row_by_row() -> None:
    logits_RV = torch.zeros(4, 3)
    logits_RV[1, 2], logits_RV[2, 0], logits_RV[3] = math.nan, math.inf, -math.inf
    _, logprobs = take_likeliest(logits_RV, [3, 3, 3, 3])
    assert [math.isnan(logprob) for logprob in logprobs] == [False, True, True, True]


def test_only_rows_to_which_nothing_is_done_take_the_likeliest() -> None:
    assert all(row.takes_the_likeliest for row in rows_of([7]))
    for more in (
        {"config": SamplingConfig()},
        {"config": SamplingConfig(temperature=0.0, presence_penalty=1.0)},
        {"config": SamplingConfig(temperature=0.0, logit_bias={1: 1.0})},
        {"banned_ids": (3,)},
        {"allowed_mask": torch.ones(7, dtype=torch.bool)},
        {"n_top_logprobs": 1},
    ):
        assert not any(row.takes_the_likeliest for row in rows_of([7], **more))


@pytest.mark.gpu
def test_a_gpu_draws_what_the_cpu_draws() -> None:
    logits_RV = torch.randn(6, 1000, generator=torch.Generator().manual_seed(0)).mul(4)
    logits_RV[4, 7] = math.nan
    drawn = []
    for device in ("cpu", "cuda"):
        sampled = rows_of([1000] * 2, config=SamplingConfig(), n_top_logprobs=2)
        drawn.append(sample_rows(logits_RV.to(device), [*rows_of([1000, 900, 5, 7]), *sampled]))
    on_cpu, on_gpu = drawn
    assert [(one.id, one.error) for one in on_gpu] == [(one.id, one.error) for one in on_cpu]
