"""Chunked cross-entropy against the plain one."""

import math

import pytest
import torch

from herd.ops import cross_entropy_chunked, cross_entropy_plain

CHUNKS = [1, 3, 8, 23, 512]


@pytest.mark.parametrize("chunk_tokens", CHUNKS)
@pytest.mark.parametrize("dtype", [torch.float32, torch.float64])
def test_chunked_loss_and_gradients_equal_the_plain_ones(chunk_tokens, dtype):
    hidden, weight, targets, mask = _case(dtype)
    plain = _with_gradients(cross_entropy_plain, hidden, weight, targets, mask)
    fast = _with_gradients(
        lambda *case: cross_entropy_chunked(*case, chunk_tokens=chunk_tokens),
        hidden,
        weight,
        targets,
        mask,
    )
    for ours, theirs in zip(fast, plain, strict=True):
        torch.testing.assert_close(ours, theirs, rtol=1e-6, atol=1e-6)


@pytest.mark.parametrize("z_loss", [1e-4, 0.3])
@pytest.mark.parametrize("chunk_tokens", [3, 512])
def test_z_loss_and_its_gradients_equal_the_plain_ones(chunk_tokens, z_loss):
    case = _case(torch.float64)
    plain = _with_gradients(lambda *c: cross_entropy_plain(*c, z_loss=z_loss), *case)
    fast = _with_gradients(
        lambda *c: cross_entropy_chunked(*c, z_loss=z_loss, chunk_tokens=chunk_tokens), *case
    )
    without = _with_gradients(cross_entropy_plain, *case)
    for ours, theirs, other in zip(fast, plain, without, strict=True):
        torch.testing.assert_close(ours, theirs, rtol=1e-12, atol=1e-14)
        assert not torch.equal(theirs, other)


def test_z_loss_is_the_square_of_the_log_of_the_softmax_denominator():
    targets = torch.tensor([0, 1])
    hidden, weight = torch.zeros(2, 3), torch.randn(10, 3)
    loss_sum, _ = cross_entropy_chunked(hidden, weight, targets, torch.ones(2), z_loss=0.5)
    expected = 2 * (math.log(10) + 0.5 * math.log(10) ** 2)
    torch.testing.assert_close(loss_sum.item(), expected, rtol=1e-6, atol=0.0)


@pytest.mark.parametrize("loss", [cross_entropy_plain, cross_entropy_chunked])
def test_z_loss_zero_is_no_z_loss_to_the_bit(loss):
    case = _case(torch.float32)
    off = _with_gradients(lambda *c: loss(*c, z_loss=0.0), *case)
    for ours, theirs in zip(off, _with_gradients(loss, *case), strict=True):
        assert torch.equal(ours, theirs)


def test_a_step_against_z_loss_brings_log_z_nearer_to_zero():
    hidden, weight, targets, mask = _case(torch.float64)
    moved = {}
    for z_loss in (0.0, 1.0):
        _, _, gradient = _with_gradients(
            lambda *c, z=z_loss: cross_entropy_chunked(*c, z_loss=z), hidden, weight, targets, mask
        )
        log_z_N = (hidden @ (weight - 0.01 * gradient).T).logsumexp(-1)
        moved[z_loss] = (mask * log_z_N.abs()).sum()
    assert moved[1.0] < moved[0.0]


def test_loss_without_gradients_equals_the_plain_one():
    case = _case(torch.float32)
    torch.testing.assert_close(
        cross_entropy_chunked(*case, chunk_tokens=5),
        cross_entropy_plain(*case),
        rtol=1e-6,
        atol=0.0,
    )


def test_gradient_is_computed_for_a_frozen_head_and_for_frozen_hidden_states():
    hidden, weight, targets, mask = _case(torch.float32)
    for frozen in (0, 1):
        tensors = [hidden.clone(), weight.clone()]
        tensors[1 - frozen].requires_grad_()
        gradients = []
        for loss in (cross_entropy_chunked, cross_entropy_plain):
            loss_sum, _ = loss(*tensors, targets, mask)
            gradients += torch.autograd.grad(loss_sum, tensors[1 - frozen])
        torch.testing.assert_close(*gradients, rtol=1e-6, atol=1e-6)


def test_masked_tokens_count_neither_in_the_sum_nor_in_the_gradient():
    hidden, weight, targets, mask = _case(torch.float32)
    mask[4] = 0.0
    loss_sum, n_tokens = cross_entropy_chunked(hidden, weight, targets, mask, chunk_tokens=3)
    other = hidden.clone()
    other[4] = 7.0
    same_sum, _ = cross_entropy_chunked(other, weight, targets, mask, chunk_tokens=3)
    assert torch.equal(loss_sum, same_sum)
    assert n_tokens == mask.sum()


def test_boolean_and_fractional_masks_are_weights():
    hidden, weight, targets, _ = _case(torch.float32)
    half = torch.full((23,), 0.5)
    whole_sum, whole_tokens = cross_entropy_chunked(
        hidden, weight, targets, torch.ones(23, dtype=torch.bool)
    )
    half_sum, half_tokens = cross_entropy_chunked(hidden, weight, targets, half)
    torch.testing.assert_close(half_sum * 2, whole_sum)
    assert (half_tokens * 2, whole_tokens) == (23.0, 23.0)


def test_uniform_logits_cost_the_logarithm_of_the_vocabulary():
    targets = torch.arange(4)
    loss_sum, _ = cross_entropy_chunked(
        torch.zeros(4, 2), torch.randn(10, 2), targets, torch.ones(4)
    )
    torch.testing.assert_close(loss_sum.item(), 4 * math.log(10), rtol=1e-6, atol=0.0)


def test_a_target_of_vanishing_probability_has_a_finite_loss():
    weight = torch.tensor([[1.0], [-1.0]])
    case = (torch.tensor([[500.0]]), weight, torch.tensor([1]), torch.ones(1))
    loss_sum, _ = cross_entropy_chunked(*case)
    assert loss_sum == cross_entropy_plain(*case)[0] == 1000.0


def test_loss_under_autocast_is_near_that_of_float32():
    case = _case(torch.float32)
    exact = _with_gradients(cross_entropy_plain, *case)
    with torch.autocast("cpu", torch.bfloat16):
        rounded = _with_gradients(cross_entropy_chunked, *case)
    for ours, theirs in zip(rounded, exact, strict=True):
        assert ours.dtype == torch.float32
        assert (ours - theirs).norm() <= 0.01 * theirs.norm()


def test_no_tensor_of_all_logits_is_ever_made():
    hidden, weight = torch.randn(64, 4, requires_grad=True), torch.randn(100, 4, requires_grad=True)
    targets, mask = torch.randint(100, (64,)), torch.ones(64)
    sizes = _sizes_made(
        lambda: cross_entropy_chunked(hidden, weight, targets, mask, chunk_tokens=8)
    )
    assert max(sizes) == 8 * 100
    assert max(_sizes_made(lambda: cross_entropy_plain(hidden, weight, targets, mask))) == 64 * 100


def _sizes_made(loss):
    from torch.utils._python_dispatch import TorchDispatchMode

    sizes = []

    class Recorder(TorchDispatchMode):
        def __torch_dispatch__(self, function, types, args=(), kwargs=None):
            result = function(*args, **(kwargs or {}))
            sizes.extend(x.numel() for x in _tensors(result))
            return result

    with Recorder():
        loss()[0].backward()
    return sizes


def _tensors(result):
    results = result if isinstance(result, tuple | list) else (result,)
    return [x for x in results if isinstance(x, torch.Tensor)]


def _case(dtype):
    torch.manual_seed(0)
    hidden, weight = torch.randn(23, 6, dtype=dtype), torch.randn(11, 6, dtype=dtype)
    return hidden, weight, torch.randint(11, (23,)), (torch.rand(23) < 0.7).to(dtype)


def _with_gradients(loss, hidden, weight, targets, mask):
    leaves = [hidden.clone().requires_grad_(), weight.clone().requires_grad_()]
    loss_sum, n_tokens = loss(*leaves, targets, mask)
    mean = loss_sum / n_tokens
    return [mean.detach(), *torch.autograd.grad(mean, leaves)]
