"""The 8-bit float layer stands in for `nn.Linear`, whatever is done to the model around it."""

import math

import pytest
import torch

from herd import ops
from herd.model import Fp8Linear


@pytest.mark.parametrize("shape", [(), (3,), (2, 5)])
@pytest.mark.parametrize("scale_ub", [None, 1200.0, 2.0])
def test_the_layer_computes_the_plain_product_for_any_leading_dimensions(shape, scale_ub):
    q, scale = ops.quantize_fp8_rows(torch.randn(20, 48))
    x = 3 * torch.randn(*shape, 48)
    plain = ops.fp8_linear_plain(x.view(-1, 48), q, scale, scale_ub)
    ours = Fp8Linear(q, scale, scale_ub=scale_ub)(x)
    torch.testing.assert_close(ours, plain.view(*shape, 20))


def test_the_upper_bound_is_the_papers_unless_another_is_given():
    x = torch.zeros(1, 48)
    x[0, 0] = 5000.0
    linear = Fp8Linear.of(torch.ones(4, 48))
    torch.testing.assert_close(linear(x), torch.full((1, 4), 1200.0))


def test_the_layer_is_close_to_the_one_it_replaces():
    weight, x = torch.randn(20, 96), torch.randn(7, 96)
    exact, ours = x @ weight.T, Fp8Linear.of(weight)(x)
    assert ((ours - exact).norm() / exact.norm()).item() < 0.06


@pytest.mark.parametrize("dtype", [torch.float64, torch.bfloat16])
def test_a_cast_of_the_model_leaves_values_and_scales_alone(dtype):
    linear = Fp8Linear.of(torch.randn(20, 48))
    weight, scale = linear.weight.clone(), linear.weight_scale_N1.clone()
    linear.to(dtype)
    assert linear.weight.dtype == torch.float8_e4m3fn
    assert linear.weight_scale_N1.dtype == torch.float32
    assert torch.equal(linear.weight.float(), weight.float())
    assert torch.equal(linear.weight_scale_N1, scale)
    assert linear.to("meta").weight.is_meta


@pytest.mark.parametrize("damage", [math.nan, math.inf])
def test_a_weight_that_is_not_finite_is_refused(damage):
    weight = torch.randn(4, 32)
    weight[2, 3] = damage
    with pytest.raises(ValueError, match="finite"):
        Fp8Linear.of(weight)
