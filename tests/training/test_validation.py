"""Held-out loss: weighed by tokens, always on the same text, in nats and bits per byte."""

import math

import pytest
import torch

from herd.foundation import UserError
from herd.training import HeldOut, Precision, bits_per_byte, validate

CPU = torch.device("cpu")


def held_out(source, n_sequences: int, batch_sequences: int) -> HeldOut:
    return HeldOut(
        source=source,
        n_sequences=n_sequences,
        batch_sequences=batch_sequences,
        bytes_per_token=3.0,
    )


@pytest.mark.parametrize("batch_sequences", [1, 3, 7, 50])
def test_the_mean_is_over_tokens_however_they_are_batched(
    source, make_model, loss_for, batch_sequences: int
) -> None:
    model = make_model()
    batch = source.batch(0, 7)
    logits_BTV = model(
        batch.tokens_BT, position_BT=batch.position_BT, segment_BT=batch.segment_BT
    ).detach()
    expected = torch.nn.functional.cross_entropy(
        logits_BTV[batch.loss_mask_BT], batch.targets_BT[batch.loss_mask_BT]
    )
    found = validate(
        held_out(source, 7, batch_sequences),
        loss_for(model),
        precision=Precision.FLOAT32,
        device=CPU,
    )
    assert found == pytest.approx(float(expected), rel=1e-6)


def test_it_leaves_no_gradient_and_no_trace_in_random_numbers(source, make_model, loss_for) -> None:
    model = make_model()
    before = torch.get_rng_state()
    validate(held_out(source, 4, 2), loss_for(model), precision=Precision.BFLOAT16, device=CPU)
    assert all(parameter.grad is None for parameter in model.parameters())
    assert torch.equal(torch.get_rng_state(), before)


def test_bits_per_byte_of_a_uniform_guess_over_bytes_is_eight() -> None:
    assert bits_per_byte(math.log(256), bytes_per_token=1.0) == pytest.approx(8)
    assert bits_per_byte(2 * math.log(256), bytes_per_token=2.0) == pytest.approx(8)


def test_nothing_to_validate_on_is_a_clear_line(source, make_model, loss_for) -> None:
    with pytest.raises(UserError, match="held-out"):
        validate(
            held_out(source, 0, 1), loss_for(make_model()), precision=Precision.FLOAT32, device=CPU
        )
