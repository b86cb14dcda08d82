"""Rotary embedding: its plain version, relative positions, and Meta's frequency scaling."""

import math

import pytest
import torch

from herd.foundation import UserError
from herd.ops import RopeScaling, apply_rope, apply_rope_plain, rope_angles, rope_frequencies

LLAMA31 = RopeScaling(factor=8.0)


@pytest.mark.parametrize("dtype", [torch.float32, torch.bfloat16])
@pytest.mark.parametrize("head_dim", [2, 6, 64])
def test_fast_rotation_equals_complex_rotation(dtype, head_dim):
    x_BTHC, cos, sin = _case(head_dim, dtype)
    tolerance = 1e-6 if dtype == torch.float32 else 1e-2
    torch.testing.assert_close(
        apply_rope(x_BTHC, cos, sin),
        apply_rope_plain(x_BTHC, cos, sin),
        rtol=tolerance,
        atol=tolerance,
    )


def test_gradient_of_the_fast_rotation_equals_that_of_the_complex_one():
    x_BTHC, cos, sin = _case(8, torch.float32)
    weighting = torch.randn_like(x_BTHC)
    gradients = []
    for rotate in (apply_rope, apply_rope_plain):
        leaf = x_BTHC.clone().requires_grad_()
        gradients += torch.autograd.grad((rotate(leaf, cos, sin) * weighting).sum(), leaf)
    torch.testing.assert_close(*gradients, rtol=1e-6, atol=1e-6)


@pytest.mark.parametrize("scaling", [None, LLAMA31])
def test_rope_is_relative(scaling):
    torch.manual_seed(0)
    frequencies = rope_frequencies(32, 10_000.0, scaling)
    query, key = torch.randn(2, 1, 1, 1, 32, dtype=torch.float32)

    def product(query_position, key_position):
        rotated = [
            apply_rope(x, *rope_angles(torch.tensor([[position]]), frequencies))
            for x, position in ((query, query_position), (key, key_position))
        ]
        return (rotated[0] * rotated[1]).sum()

    torch.testing.assert_close(product(7, 3), product(1007, 1003), rtol=1e-3, atol=1e-3)
    assert abs(product(7, 3) - product(8, 3)) > 1e-2


def test_rotation_keeps_lengths_and_leaves_position_zero_alone():
    x_BTHC, cos, sin = _case(16, torch.float32)
    rotated = apply_rope(x_BTHC, cos, sin)
    torch.testing.assert_close(rotated.norm(dim=-1), x_BTHC.norm(dim=-1))
    torch.testing.assert_close(rotated[:, 0], x_BTHC[:, 0])


@pytest.mark.parametrize("factor", [8.0, 32.0])
def test_scaled_frequencies_equal_those_of_metas_loop(factor):
    scaling = RopeScaling(factor=factor)
    expected = [_meta_scaled(f, factor) for f in rope_frequencies(128, 500_000.0).tolist()]
    scaled = rope_frequencies(128, 500_000.0, scaling)
    torch.testing.assert_close(scaled, torch.tensor(expected), rtol=1e-6, atol=0.0)


def test_scaling_keeps_fast_frequencies_and_divides_slow_ones():
    plain, scaled = rope_frequencies(128, 500_000.0), rope_frequencies(128, 500_000.0, LLAMA31)
    assert torch.equal(plain[:20], scaled[:20])
    torch.testing.assert_close(scaled[-10:], plain[-10:] / 8.0)


@pytest.mark.parametrize(
    ("field", "value"),
    [
        ("factor", 0.5),
        ("factor", math.nan),
        ("low_freq_factor", 0.0),
        ("low_freq_factor", 4.0),
        ("original_context", 0),
    ],
)
def test_senseless_scaling_is_refused_by_name(field, value):
    with pytest.raises(UserError, match=field):
        RopeScaling(**{"factor": 8.0, field: value})


def _case(head_dim, dtype):
    torch.manual_seed(0)
    x_BTHC = torch.randn(2, 11, 3, head_dim).to(dtype)
    position_BT = torch.stack((torch.arange(11), torch.arange(11) % 4))
    return x_BTHC, *rope_angles(position_BT, rope_frequencies(head_dim, 10_000.0))


def _meta_scaled(frequency, factor):
    """Meta's `apply_scaling`, written out."""
    wavelength = 2 * math.pi / frequency
    if wavelength < 8192 / 4.0:
        return frequency
    if wavelength > 8192 / 1.0:
        return frequency / factor
    smooth = (8192 / wavelength - 1.0) / (4.0 - 1.0)
    return (1 - smooth) * frequency / factor + smooth * frequency
