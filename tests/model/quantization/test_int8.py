"""The 8-bit linear layer stands in for `nn.Linear`, whatever is done to the model around it."""

import pytest
import torch
from torch import nn

from herd import ops
from herd.model import Int8Linear


@pytest.mark.parametrize("n_inputs", [32, 48, 96])
@pytest.mark.parametrize("shape", [(), (3,), (2, 5)])
def test_the_layer_computes_the_plain_product_for_any_leading_dimensions(n_inputs, shape):
    linear = _linear(n_inputs)
    x = torch.randn(*shape, n_inputs)
    plain = ops.int8_linear_plain(x.view(-1, n_inputs), linear.weight_q_NK, linear.scale_NG)
    torch.testing.assert_close(linear(x), plain.view(*shape, 20), rtol=1e-5, atol=1e-5)


@pytest.mark.parametrize("n_inputs", [32, 48])
def test_the_layer_is_close_to_the_one_it_replaces(n_inputs):
    weight, x = torch.randn(20, n_inputs), torch.randn(7, n_inputs)
    exact, ours = x @ weight.T, Int8Linear.of(weight)(x)
    assert ((ours - exact).norm() / exact.norm()).item() < 0.02


@pytest.mark.parametrize("n_inputs", [32, 48])
def test_the_matrix_it_stands_for_has_the_shape_of_the_original(n_inputs):
    weight = torch.randn(20, n_inputs)
    linear = Int8Linear.of(weight)
    torch.testing.assert_close(linear.dequantized(), weight, rtol=0, atol=0.05)


@pytest.mark.parametrize("dtype", [torch.float64, torch.bfloat16, torch.float16])
def test_a_cast_of_the_model_leaves_integers_and_scales_alone(dtype):
    linear = _linear(64)
    model = nn.Sequential(nn.Linear(64, 64, bias=False), linear)
    q, scale = linear.weight_q_NK.clone(), linear.scale_NG.clone()
    model.to(dtype)
    assert model[0].weight.dtype == dtype
    assert linear.weight_q_NK.dtype == torch.int8 and linear.scale_NG.dtype == torch.float16
    assert torch.equal(linear.weight_q_NK, q) and torch.equal(linear.scale_NG, scale)
    assert model.to("meta")[1].scale_NG.is_meta and model[1].weight_q_NK.is_meta


def test_a_state_goes_into_another_layer_to_the_bit():
    ours, other = _linear(48), _linear(48)
    other.load_state_dict(ours.state_dict())
    x = torch.randn(3, 48)
    assert torch.equal(ours(x), other(x))


def test_it_has_no_parameters_and_says_its_shape():
    linear = _linear(48)
    assert list(linear.parameters()) == []
    assert repr(linear) == "Int8Linear(in_features=48, out_features=20)"


def _linear(n_inputs):
    return Int8Linear.of(torch.randn(20, n_inputs))
