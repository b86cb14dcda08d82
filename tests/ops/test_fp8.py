"""8-bit floats by row against the formula in float64, and what the upper bound does."""

import math

import pytest
import torch

from herd.ops import (
    ACTIVATION_SCALE_UB,
    dequantize_fp8,
    fp8_linear,
    fp8_linear_plain,
    quantize_fp8_rows,
)

SHAPES = [(1, 5, 32), (3, 7, 48), (4, 16, 96), (2, 1, 5)]  # M, N, K
LARGEST = 448.0


@pytest.mark.parametrize("shape", SHAPES)
@pytest.mark.parametrize("spread", [1e-3, 1.0, 2000.0])
@pytest.mark.parametrize("scale_ub", [None, 1200.0])
def test_plain_product_equals_the_formula_in_float64(shape, spread, scale_ub):
    x, weight = _matrices(shape, spread)
    q, scale = quantize_fp8_rows(weight)
    largest = x.double().abs().amax(1, keepdim=True)
    x_scale = (largest if scale_ub is None else largest.clamp(max=scale_ub)) / LARGEST
    x_scale = x_scale.clamp(min=1 / (LARGEST * 512))
    rounded = (x / x_scale.float()).clamp(-LARGEST, LARGEST).to(torch.float8_e4m3fn)
    expected = (rounded.double() * x_scale) @ (q.double() * scale.double()).T
    ours = fp8_linear_plain(x, q, scale, scale_ub)
    torch.testing.assert_close(ours.double(), expected, rtol=1e-5, atol=1e-5 * spread)


@pytest.mark.parametrize("dtype", [torch.float32, torch.bfloat16])
def test_fast_product_equals_plain_product_where_there_are_no_tensor_cores(dtype):
    x, weight = _matrices((4, 16, 96), 1.0)
    quantized = quantize_fp8_rows(weight)
    fast, plain = (f(x.to(dtype), *quantized) for f in (fp8_linear, fp8_linear_plain))
    assert fast.dtype == dtype and torch.equal(fast, plain)


@pytest.mark.gpu
@pytest.mark.parametrize("spread", [1.0, 2000.0])
def test_product_on_tensor_cores_equals_plain_product(spread):
    x, weight = _matrices((8, 64, 256), spread)
    q, scale = quantize_fp8_rows(weight)
    fast = fp8_linear(x.cuda().bfloat16(), q.cuda(), scale.cuda()).cpu().float()
    plain = fp8_linear_plain(x.bfloat16(), q, scale).float()
    torch.testing.assert_close(fast, plain, rtol=2e-2, atol=2e-2 * plain.abs().max().item())


def test_every_float8_survives_a_row_whose_scale_is_one():
    every = torch.arange(256, dtype=torch.uint8).view(torch.float8_e4m3fn).float()
    row = every[every.isfinite()][None]
    q, scale = quantize_fp8_rows(row)
    assert scale.item() == 1.0 and torch.equal(q.float(), row)


def test_a_value_is_off_by_a_sixteenth_of_itself_or_half_the_smallest_step_at_most():
    x = torch.randn(50, 96) * torch.logspace(-3, 3, 50)[:, None]
    q, scale = quantize_fp8_rows(x)
    error = (dequantize_fp8(q, scale) - x).abs()
    assert (error <= torch.maximum(x.abs() / 16, scale * 2**-10) * (1 + 1e-5)).all()


@pytest.mark.parametrize("largest", [1.0, 1199.0, 1200.0, 1201.0, 5000.0])
def test_the_upper_bound_acts_exactly_when_a_row_exceeds_it(largest):
    x = torch.rand(1, 64)
    x[0, 7] = -largest
    bounded, free = (quantize_fp8_rows(x, bound) for bound in (ACTIVATION_SCALE_UB, None))
    same = all(torch.equal(a.float(), b.float()) for a, b in zip(bounded, free, strict=True))
    assert same == (largest <= ACTIVATION_SCALE_UB)
    expected = -min(largest, ACTIVATION_SCALE_UB)
    assert dequantize_fp8(*bounded)[0, 7].item() == pytest.approx(expected)


def test_the_upper_bound_spares_the_small_values_of_a_row_with_an_outlier():
    x = torch.full((1, 64), 0.012)
    x[0, 0] = 1e5
    errors = []
    for bound in (ACTIVATION_SCALE_UB, None):
        small = dequantize_fp8(*quantize_fp8_rows(x, bound))[0, 1:]
        errors.append((small - 0.012).abs().max().item())
    assert errors[0] < 0.002 and errors[1] == pytest.approx(0.012)


def test_rows_do_not_depend_on_each_other():
    x, weight = _matrices((4, 16, 96), 1.0)
    q, scale = quantize_fp8_rows(x)
    for row in range(len(x)):
        alone_q, alone_scale = quantize_fp8_rows(x[row : row + 1])
        assert torch.equal(alone_q.float(), q[row : row + 1].float())
        assert torch.equal(alone_scale, scale[row : row + 1])


def test_quantising_what_was_quantised_changes_nothing():
    q, scale = quantize_fp8_rows(torch.randn(50, 96))
    again_q, again_scale = quantize_fp8_rows(dequantize_fp8(q, scale))
    assert torch.equal(again_q.float(), q.float())
    torch.testing.assert_close(again_scale, scale, rtol=1e-6, atol=0)


def test_zeros_stay_zeros_and_what_is_not_a_number_is_not_hidden():
    x = torch.zeros(2, 32)
    x[1, 3] = math.nan
    out = fp8_linear(x, *quantize_fp8_rows(torch.randn(5, 32)))
    assert not out[0].any() and out[1].isnan().all()


def _matrices(shape, spread):
    torch.manual_seed(0)
    n_rows, n_outputs, n_inputs = shape
    return torch.randn(n_rows, n_inputs) * spread, torch.randn(n_outputs, n_inputs) * 0.1
