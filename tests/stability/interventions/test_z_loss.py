"""z-loss: its formula, its gradient, masks, and large logits."""

import numpy as np
import pytest
import torch

from herd.foundation import UserError
from herd.stability.interventions.z_loss import z_loss

LOGITS = torch.randn(6, 11, generator=torch.Generator().manual_seed(0), dtype=torch.float64)


def test_it_is_the_sum_of_squared_logarithms_of_the_normaliser():
    expected = sum(1e-4 * np.log(np.exp(row).sum()) ** 2 for row in LOGITS.numpy())
    assert float(z_loss(LOGITS)) == pytest.approx(expected, rel=1e-12)


def test_its_gradient_is_the_closed_form_and_what_finite_differences_give():
    logits = LOGITS.clone().requires_grad_()
    assert torch.autograd.gradcheck(lambda x: z_loss(x, coefficient=0.3), logits)
    (gradient,) = torch.autograd.grad(z_loss(logits), logits)
    log_z = torch.logsumexp(LOGITS, -1, keepdim=True)
    torch.testing.assert_close(gradient, 2e-4 * log_z * torch.softmax(LOGITS, -1))


def test_a_masked_token_counts_nothing_even_when_it_is_not_finite():
    broken = LOGITS.clone()
    broken[2] = torch.inf
    logits = broken.requires_grad_()
    mask = torch.tensor([1.0, 1, 0, 1, 1, 1])
    loss = z_loss(logits, mask)
    keep = [0, 1, 3, 4, 5]
    torch.testing.assert_close(loss, z_loss(LOGITS[keep]))


def test_large_logits_in_bfloat16_stay_finite_and_are_summed_in_float32():
    loss = z_loss(torch.full((2, 4), 1e4, dtype=torch.bfloat16))
    assert loss.dtype == torch.float32 and torch.isfinite(loss)


def test_shifting_logits_to_normalised_ones_makes_it_zero():
    assert float(z_loss(torch.log_softmax(LOGITS, -1))) == pytest.approx(0, abs=1e-24)


@pytest.mark.parametrize("coefficient", [-1e-4, float("nan"), float("inf")])
def test_an_impossible_coefficient_is_refused(coefficient):
    with pytest.raises(UserError, match="z-loss"):
        z_loss(LOGITS, coefficient=coefficient)
