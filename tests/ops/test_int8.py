"""8-bit products against a loop in float64, and the bounds that rounding must keep."""

import math

import pytest
import torch

from herd.ops import (
    INT8_GROUP,
    dequantize_int8,
    int8_linear,
    int8_linear_plain,
    quantize_int8_activations,
    quantize_int8_weight,
)

SHAPES = [(1, 5, 32), (3, 7, 48), (4, 16, 96), (2, 1, 5), (6, 33, 160)]  # M, N, K


@pytest.mark.parametrize("shape", SHAPES)
@pytest.mark.parametrize("spread", [1e-3, 1.0, 300.0])
def test_plain_product_equals_a_loop_over_groups_in_float64(shape, spread):
    x, weight = _matrices(shape, spread)
    q, scale = quantize_int8_weight(weight)
    expected = _loop(x, q, scale)
    torch.testing.assert_close(
        int8_linear_plain(x, q, scale).double(), expected, rtol=1e-5, atol=1e-5 * spread
    )


@pytest.mark.parametrize("shape", SHAPES)
@pytest.mark.parametrize("dtype", [torch.float32, torch.bfloat16])
def test_fast_product_equals_plain_product(shape, dtype):
    x, weight = _matrices(shape, 1.0)
    q, scale = quantize_int8_weight(weight)
    tolerance = {torch.float32: 1e-5, torch.bfloat16: 1e-2}[dtype]
    fast, plain = (f(x.to(dtype), q, scale) for f in (int8_linear, int8_linear_plain))
    assert fast.dtype == plain.dtype == dtype
    torch.testing.assert_close(fast, plain, rtol=tolerance, atol=tolerance)


@pytest.mark.gpu
def test_product_on_a_gpu_is_that_of_the_dequantised_weight():
    x, weight = _matrices((4, 16, 96), 1.0)
    q, scale = quantize_int8_weight(weight)
    ours = int8_linear(x.cuda(), q.cuda(), scale.cuda()).cpu()
    torch.testing.assert_close(ours, x @ dequantize_int8(q, scale).T, rtol=1e-4, atol=1e-4)


@pytest.mark.parametrize("spread", [1e-3, 1.0, 300.0])
def test_a_weight_is_off_by_half_a_scale_at_most(spread):
    weight = torch.randn(50, 96) * spread
    q, scale = quantize_int8_weight(weight)
    half_scale = scale.double().repeat_interleave(INT8_GROUP, dim=1) / 2
    assert ((dequantize_int8(q, scale).double() - weight).abs() <= half_scale * (1 + 1e-6)).all()


def test_the_scale_is_the_largest_magnitude_over_127_in_float16():
    weight = torch.randn(20, 64) * 0.02
    _, scale = quantize_int8_weight(weight)
    assert torch.equal(scale, (weight.view(20, 2, 32).abs().amax(-1) / 127).half())


def test_the_largest_weight_of_a_group_becomes_127():
    q, _ = quantize_int8_weight(torch.randn(50, 96))
    assert (q.view(50, 3, 32).abs().amax(-1) == 127).all()


@pytest.mark.parametrize("dtype", [torch.float32, torch.bfloat16, torch.float16])
def test_quantising_what_was_quantised_changes_nothing(dtype):
    q, scale = quantize_int8_weight(torch.randn(50, 96).to(dtype) * 0.02)
    again_q, again_scale = quantize_int8_weight(dequantize_int8(q, scale))
    assert torch.equal(again_q, q) and torch.equal(again_scale, scale)


@pytest.mark.parametrize("n_inputs", [1, 31, 33, 48])
def test_rows_are_padded_with_zeros(n_inputs):
    q, scale = quantize_int8_weight(torch.randn(3, n_inputs))
    n_groups = math.ceil(n_inputs / INT8_GROUP)
    assert q.shape == (3, INT8_GROUP * n_groups) and scale.shape == (3, n_groups)
    assert not q[:, n_inputs:].any()


def test_groups_of_zeros_and_of_almost_nothing_become_zeros():
    weight = torch.zeros(2, 64)
    weight[1] = 1e-9
    q, scale = quantize_int8_weight(weight)
    assert not q.any() and not scale.any()
    assert torch.equal(int8_linear(torch.randn(3, 64), q, scale), torch.zeros(3, 2))
    assert torch.equal(
        int8_linear(torch.zeros(1, 64), *quantize_int8_weight(torch.randn(2, 64))),
        torch.zeros(1, 2),
    )


@pytest.mark.parametrize("damage", [math.nan, math.inf, 1e7])
def test_a_weight_that_no_scale_holds_is_refused(damage):
    weight = torch.randn(4, 32)
    weight[2, 3] = damage
    with pytest.raises(ValueError, match="float16"):
        quantize_int8_weight(weight)


def test_a_row_of_activations_does_not_depend_on_the_others():
    x, weight = _matrices((6, 33, 160), 1.0)
    q, scale = quantize_int8_activations(x)
    for row in range(len(x)):
        alone_q, alone_scale = quantize_int8_activations(x[row : row + 1])
        assert torch.equal(alone_q[0], q[row]) and torch.equal(alone_scale[0], scale[row])
    weights = quantize_int8_weight(weight)
    torch.testing.assert_close(int8_linear(x, *weights)[2:3], int8_linear(x[2:3], *weights))


def test_an_activation_that_is_not_a_number_is_not_hidden():
    x, weight = _matrices((3, 4, 64), 1.0)
    x[1, 5] = math.nan
    for product in (int8_linear, int8_linear_plain):
        out = product(x, *quantize_int8_weight(weight))
        assert out[1].isnan().all() and out[[0, 2]].isfinite().all()


def _matrices(shape, spread):
    torch.manual_seed(0)
    n_rows, n_outputs, n_inputs = shape
    return torch.randn(n_rows, n_inputs) * spread, torch.randn(n_outputs, n_inputs) * 0.1


def _loop(x, q, scale):
    x_q, x_scale = quantize_int8_activations(x)
    out = torch.zeros(len(x), len(q), dtype=torch.float64)
    for row in range(len(x)):
        for output in range(len(q)):
            for group in range(scale.shape[1]):
                dot = 0
                for k in range(INT8_GROUP * group, INT8_GROUP * (group + 1)):
                    dot += int(x_q[row, k]) * int(q[output, k])
                out[row, output] += dot * float(scale[output, group]) * float(x_scale[row, group])
    return out
