"""One step: any split of a batch gives the large batch's gradient; bad numbers change nothing."""

import copy
import math

import pytest
import torch

from herd.data import Batch
from herd.foundation import UserError
from herd.model import LossSum
from herd.training import OptimizerConfig, Precision, build_optimizer, train_step
from herd.training.step import accumulate_gradients, average_and_clip

CPU = torch.device("cpu")


def gradients_of(model, loss, batches) -> list[torch.Tensor]:
    model.zero_grad()
    _, n_tokens = accumulate_gradients(batches, loss, precision=Precision.FLOAT32, device=CPU)
    gradients = [parameter.grad for parameter in model.parameters()]
    average_and_clip(gradients, n_tokens=n_tokens, clip_norm=1e9)
    return [gradient.clone() for gradient in gradients]


def plain_gradients(model, loss, batch: Batch) -> list[torch.Tensor]:
    """The large batch, its mean loss, autograd: nothing of ours in between."""
    result = loss(batch)
    return list(
        torch.autograd.grad(result.loss_sum_nats / result.n_tokens, list(model.parameters()))
    )


SPLITS = [(8,), (4, 4), (1,) * 8, (5, 1, 2), (7, 1)]


def split(source, sizes: tuple[int, ...]) -> list[Batch]:
    """Sequences 3 to 10 in pieces. Rows count unequal numbers of tokens."""
    starts = [3 + sum(sizes[:i]) for i in range(len(sizes))]
    return [source.batch(start, size) for start, size in zip(starts, sizes, strict=True)]


def double_model_and_loss():
    """All in float64, so that nothing but the order of additions may differ."""
    torch.manual_seed(0)
    model = torch.nn.Sequential(
        torch.nn.Embedding(61, 12),
        torch.nn.Linear(12, 20),
        torch.nn.Tanh(),
        torch.nn.Linear(20, 61),
    ).double()

    def loss(batch: Batch) -> LossSum:
        logits_NV = model(batch.tokens_BT).flatten(0, 1)
        nats_N = torch.nn.functional.cross_entropy(
            logits_NV, batch.targets_BT.flatten(), reduction="none"
        )
        return LossSum((nats_N * batch.loss_mask_BT.flatten()).sum(), batch.loss_mask_BT.sum())

    return model, loss


@pytest.mark.parametrize("sizes", SPLITS)
def test_accumulated_gradients_equal_the_large_batch_in_float64(source, sizes) -> None:
    model, loss = double_model_and_loss()
    ours = gradients_of(model, loss, split(source, sizes))
    expected = plain_gradients(model, loss, source.batch(3, 8))
    for gradient, oracle in zip(ours, expected, strict=True):
        torch.testing.assert_close(gradient, oracle, rtol=1e-12, atol=1e-15)


@pytest.mark.parametrize("sizes", SPLITS)
def test_accumulated_gradients_equal_the_large_batch_of_a_llama(
    source, make_model, loss_for, sizes
) -> None:
    model = make_model()
    ours = gradients_of(model, loss_for(model), split(source, sizes))
    expected = plain_gradients(model, loss_for(model), source.batch(3, 8))
    for gradient, oracle in zip(ours, expected, strict=True):
        torch.testing.assert_close(gradient, oracle, rtol=1e-5, atol=1e-6)


def test_a_mean_of_means_would_not_pass(source) -> None:
    model, loss = double_model_and_loss()
    pieces = [plain_gradients(model, loss, batch) for batch in split(source, (7, 1))]
    whole = plain_gradients(model, loss, source.batch(3, 8))
    differences = [
        ((first + second) / 2 - both).abs().max()
        for first, second, both in zip(*pieces, whole, strict=True)
    ]
    assert max(differences) > 1e-4


def test_clipping_equals_torchs() -> None:
    torch.manual_seed(0)
    gradients = [torch.randn(4, 3), torch.randn(7) * 10]
    oracle = [torch.nn.Parameter(torch.zeros_like(g)) for g in gradients]
    for parameter, gradient in zip(oracle, gradients, strict=True):
        parameter.grad = gradient / 5
    norm = torch.nn.utils.clip_grad_norm_(oracle, 1.0)
    assert average_and_clip(gradients, n_tokens=5, clip_norm=1.0) == pytest.approx(float(norm))
    for parameter, gradient in zip(oracle, gradients, strict=True):
        torch.testing.assert_close(gradient, parameter.grad)


@pytest.mark.parametrize("precision", list(Precision))
def test_masters_and_optimizer_state_stay_float32(source, make_model, loss_for, precision) -> None:
    model = make_model()
    optimizer = build_optimizer(model, OptimizerConfig())
    result = step(optimizer, [source.batch(0, 4)], loss_for(model), precision)
    assert result.applied
    assert {parameter.dtype for parameter in model.parameters()} == {torch.float32}
    assert {value.dtype for state in optimizer.state.values() for value in state.values()} == {
        torch.float32
    }


def test_bfloat16_is_near_float32_and_not_it(source, make_model, loss_for) -> None:
    losses = {}
    for precision in Precision:
        model = make_model()
        optimizer = build_optimizer(model, OptimizerConfig())
        result = step(optimizer, [source.batch(0, 8)], loss_for(model), precision)
        losses[precision] = result.loss_nats
    assert losses[Precision.BFLOAT16] == pytest.approx(losses[Precision.FLOAT32], rel=5e-3)
    assert losses[Precision.BFLOAT16] != losses[Precision.FLOAT32]


@pytest.mark.parametrize("bad", [math.nan, math.inf])
def test_a_loss_that_is_not_finite_changes_no_parameter(source, make_model, loss_for, bad) -> None:
    model = make_model()
    optimizer = build_optimizer(model, OptimizerConfig())
    before = copy.deepcopy(model.state_dict())

    def broken(batch: Batch) -> LossSum:
        result = loss_for(model)(batch)
        return LossSum(result.loss_sum_nats * bad, result.n_tokens)

    result = step(optimizer, [source.batch(0, 2)], broken, Precision.FLOAT32)
    assert not result.applied
    assert all(torch.equal(before[name], value) for name, value in model.state_dict().items())
    assert not optimizer.state


def test_a_batch_without_a_counted_token_is_refused(source, make_model, loss_for) -> None:
    model = make_model()
    full = source.batch(0, 1)
    empty = Batch(
        tokens_BT=full.tokens_BT,
        targets_BT=full.targets_BT,
        loss_mask_BT=torch.zeros_like(full.loss_mask_BT),
        segment_BT=full.segment_BT,
        position_BT=full.position_BT,
    )
    with pytest.raises(UserError, match="loss mask"):
        step(build_optimizer(model, OptimizerConfig()), [empty], loss_for(model), Precision.FLOAT32)


def step(optimizer, batches, loss, precision):
    return train_step(
        optimizer,
        batches,
        loss,
        learning_rate=1e-3,
        clip_norm=1.0,
        precision=precision,
        device=CPU,
    )
