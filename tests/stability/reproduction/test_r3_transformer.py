"""The little decoder against a loop over seeds, a hand-written forward pass, and causality."""

import math

import pytest
import torch
from torch import Tensor

from herd.foundation import UserError
from herd.stability.reproduction.r3_transformer import (
    DecoderShape,
    decoder_logits,
    decoder_loss,
    initial_weights,
    named_weights,
)

SHAPE = DecoderShape(n_layers=2, width=8, n_heads=2, n_positions=6, vocabulary=10)


def sequences(n_seeds: int, n: int = 3) -> Tensor:
    generator = torch.Generator().manual_seed(5)
    return torch.randint(0, SHAPE.vocabulary, (n_seeds, n, 7), generator=generator)


def by_hand(weights: dict[str, Tensor], tokens: list[int]) -> Tensor:
    """One sequence, one seed, in float64, position by position."""
    w = {name: weight.double() for name, weight in weights.items()}

    def normed(x: Tensor, gain: Tensor) -> Tensor:
        return x / (x.square().mean() + 1e-6).sqrt() * gain

    xs = [w["embedding.token"][t] + w["embedding.position"][i] for i, t in enumerate(tokens)]
    C = SHAPE.width // SHAPE.n_heads
    for i in range(SHAPE.n_layers):
        qkvs = [normed(x, w[f"layers.{i}.attention_norm"]) @ w[f"layers.{i}.qkv"] for x in xs]
        new = []
        for t, x in enumerate(xs):
            heads = []
            for h in range(SHAPE.n_heads):
                own = [
                    [part[h * C : (h + 1) * C] for part in qkv.split(SHAPE.width)] for qkv in qkvs
                ]
                scores = torch.stack([own[t][0] @ own[s][1] / math.sqrt(C) for s in range(t + 1)])
                shares = scores.softmax(0)
                heads.append(sum(shares[s] * own[s][2] for s in range(t + 1)))
            new.append(x + torch.cat(heads) @ w[f"layers.{i}.out"])
        xs = []
        for x in new:
            hidden = normed(x, w[f"layers.{i}.mlp_norm"]) @ w[f"layers.{i}.up"]
            xs.append(x + hidden.clamp(min=0) @ w[f"layers.{i}.down"])
    return torch.stack([normed(x, w["output.norm"]) @ w["output.head"] for x in xs])


def test_logits_equal_a_forward_pass_by_hand() -> None:
    weights = named_weights(SHAPE, initial_weights(SHAPE, [3]))
    tokens = sequences(1, 2)[..., :-1]
    logits = decoder_logits(SHAPE, weights, tokens)
    assert logits.shape == (1, 2, 6, 10)
    one = {name: weight[0] for name, weight in weights.items()}
    for i in range(2):
        torch.testing.assert_close(
            logits[0, i].double(), by_hand(one, tokens[0, i].tolist()), atol=1e-5, rtol=1e-5
        )


def test_seeds_side_by_side_equal_seeds_one_by_one() -> None:
    weights_RP = initial_weights(SHAPE, [0, 1, 2]).requires_grad_()
    batch = sequences(3)
    loss_R = decoder_loss(SHAPE, named_weights(SHAPE, weights_RP), batch)
    (together,) = torch.autograd.grad(loss_R.sum(), weights_RP)
    for seed in range(3):
        alone = initial_weights(SHAPE, [seed]).requires_grad_()
        loss = decoder_loss(SHAPE, named_weights(SHAPE, alone), batch[seed : seed + 1])
        (gradient,) = torch.autograd.grad(loss.sum(), alone)
        torch.testing.assert_close(loss[0], loss_R[seed])
        torch.testing.assert_close(gradient[0], together[seed], atol=1e-6, rtol=1e-4)


@pytest.mark.parametrize("position", [1, 3, 5])
def test_a_later_token_does_not_change_an_earlier_logit(position: int) -> None:
    weights = named_weights(SHAPE, initial_weights(SHAPE, [0]))
    tokens = sequences(1)[..., :-1]
    changed = tokens.clone()
    changed[..., position] = (changed[..., position] + 1) % SHAPE.vocabulary
    before, after = (decoder_logits(SHAPE, weights, each) for each in (tokens, changed))
    torch.testing.assert_close(before[:, :, :position], after[:, :, :position])
    assert not torch.allclose(before[:, :, position], after[:, :, position])


def test_the_layers_cover_every_weight_once_in_order() -> None:
    columns = list(SHAPE.layers.values())
    n = sum(math.prod(size) for size in SHAPE.tensors.values())
    assert columns[0].start == 0 and columns[-1].stop == n
    assert all(a.stop == b.start for a, b in zip(columns, columns[1:], strict=False))
    assert list(SHAPE.layers) == ["embedding", "layers.0", "layers.1", "output"]


def test_a_seed_gives_the_same_weights_beside_other_seeds() -> None:
    assert torch.equal(initial_weights(SHAPE, [4])[0], initial_weights(SHAPE, [1, 4])[1])


@pytest.mark.parametrize("wrong", [{"n_layers": 0}, {"width": 6, "n_heads": 4}])
def test_impossible_shapes_are_refused(wrong: dict[str, int]) -> None:
    with pytest.raises(UserError, match="decoder"):
        DecoderShape(**wrong)
