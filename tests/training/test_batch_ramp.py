"""The batch ramp: which stage holds, and that cut sequences equal short ones."""

import pytest
import torch

from herd.foundation import UserError
from herd.training import BatchStage, check_ramp, longest_context, stage_at
from herd.training.batch_ramp import split_sequences

LLAMA3 = (
    BatchStage(from_tokens=0, batch_tokens=1024 * 4096, context=4096),
    BatchStage(from_tokens=252_000_000, batch_tokens=1024 * 8192, context=8192),
    BatchStage(from_tokens=2_870_000_000_000, batch_tokens=2048 * 8192, context=8192),
)


@pytest.mark.parametrize(
    ("tokens", "stage"), [(0, 0), (251_999_999, 0), (252_000_000, 1), (10**12, 1), (10**13, 2)]
)
def test_the_stage_follows_the_tokens_seen(tokens: int, stage: int) -> None:
    assert stage_at(LLAMA3, tokens) == LLAMA3[stage]


def test_llama_3s_ramp_is_valid_and_cuts_data_at_its_longest_context() -> None:
    check_ramp(LLAMA3)
    assert longest_context(LLAMA3) == 8192


def test_cut_sequences_lose_like_the_long_one_when_no_document_crosses_the_cut(
    source, make_model, loss_for
) -> None:
    """Documents of 11 tokens in 22: cutting at 11 changes no attention, so no loss."""
    model = make_model(dtype=torch.float64)
    long = type(source)(context=22).batch(0, 3)
    cut = split_sequences(long, 11)
    assert cut.tokens_BT.shape == (6, 11)
    torch.testing.assert_close(
        loss_for(model)(cut).loss_sum_nats, loss_for(model)(long).loss_sum_nats, rtol=1e-12, atol=0
    )


def test_a_document_that_is_cut_starts_again_at_position_zero(source) -> None:
    cut = split_sequences(type(source)(context=16).batch(0, 1), 8)
    assert cut.position_BT.tolist() == [[0, 1, 2, 3, 4, 5, 6, 7], [0, 1, 2, 0, 1, 2, 3, 4]]
    assert cut.segment_BT.tolist() == [[0] * 8, [0, 0, 0, 1, 1, 1, 1, 1]]


def test_cutting_keeps_every_token_and_target_in_order(source) -> None:
    long = source.batch(5, 4)
    cut = split_sequences(long, 4)
    assert cut.tokens_BT.flatten().tolist() == long.tokens_BT.flatten().tolist()
    assert cut.targets_BT.flatten().tolist() == long.targets_BT.flatten().tolist()
    assert cut.loss_mask_BT.sum() == long.loss_mask_BT.sum()


@pytest.mark.parametrize(
    ("stages", "complaint"),
    [
        ((), "first stage"),
        ((BatchStage(from_tokens=5, batch_tokens=8, context=8),), "first stage"),
        (
            (
                BatchStage(from_tokens=0, batch_tokens=8, context=8),
                BatchStage(from_tokens=0, batch_tokens=16, context=8),
            ),
            "rise",
        ),
        (
            (
                BatchStage(from_tokens=0, batch_tokens=6, context=6),
                BatchStage(from_tokens=10, batch_tokens=16, context=8),
            ),
            "whole sequences",
        ),
    ],
)
def test_a_ramp_that_would_lose_data_is_refused(stages, complaint: str) -> None:
    with pytest.raises(UserError, match=complaint):
        check_ramp(stages)


def test_a_batch_of_broken_sequences_is_refused() -> None:
    with pytest.raises(UserError, match="multiple"):
        BatchStage(from_tokens=0, batch_tokens=100, context=64)
