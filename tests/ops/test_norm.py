"""The norm against its plain version, and its invariance to scale."""

import pytest
import torch

from herd.ops import rms_norm, rms_norm_plain

SHAPES = [(2, 5, 8), (1, 1, 3), (4, 31)]


@pytest.mark.parametrize("shape", SHAPES)
@pytest.mark.parametrize("dtype", [torch.float64, torch.float32, torch.bfloat16])
def test_fast_norm_equals_plain_norm(shape, dtype):
    torch.manual_seed(0)
    tolerance = {torch.float64: 1e-12, torch.float32: 1e-6, torch.bfloat16: 1e-2}[dtype]
    x = torch.randn(shape, dtype=dtype)
    weight = torch.rand(shape[-1], dtype=dtype) + 0.5
    torch.testing.assert_close(
        rms_norm(x, weight, 1e-5), rms_norm_plain(x, weight, 1e-5), rtol=tolerance, atol=tolerance
    )


@pytest.mark.parametrize("shape", SHAPES)
@pytest.mark.parametrize("eps", [1e-6, 1e-5, 0.5])
def test_gradients_of_the_fast_norm_equal_those_of_the_plain_norm(shape, eps):
    torch.manual_seed(0)
    x, weight, weighting = torch.randn(shape), torch.rand(shape[-1]), torch.randn(shape)
    fast, plain = (_gradients(f, x, weight, weighting, eps) for f in (rms_norm, rms_norm_plain))
    for ours, theirs in zip(fast, plain, strict=True):
        torch.testing.assert_close(ours, theirs, rtol=1e-5, atol=1e-5)


def test_gradient_of_the_norm_agrees_with_finite_differences():
    torch.manual_seed(0)
    x = torch.randn(2, 3, 4, dtype=torch.float64, requires_grad=True)
    weight = torch.rand(4, dtype=torch.float64, requires_grad=True)
    assert torch.autograd.gradcheck(lambda x, weight: rms_norm(x, weight, 1e-5), (x, weight))


def test_norm_does_not_change_when_its_input_is_scaled():
    x, weight = torch.randn(3, 7, 16), torch.rand(16)
    torch.testing.assert_close(
        rms_norm(1000.0 * x, weight, 1e-12), rms_norm(x, weight, 1e-12), rtol=1e-5, atol=1e-6
    )


def test_norm_hands_matrix_products_the_dtype_of_autocast():
    x, weight = torch.randn(2, 3, 8), torch.rand(8)
    with torch.autocast("cpu", torch.bfloat16):
        fast, plain = rms_norm(x, weight, 1e-5), rms_norm_plain(x, weight, 1e-5)
    assert fast.dtype == plain.dtype == torch.bfloat16
    torch.testing.assert_close(fast, plain)


def _gradients(norm, x, weight, weighting, eps):
    x, weight = x.clone().requires_grad_(), weight.clone().requires_grad_()
    return torch.autograd.grad((norm(x, weight, eps) * weighting).sum(), (x, weight))
