"""AdamW: the update written out as oracle, and which parameters decay."""

import pytest
import torch

from herd.foundation import UserError
from herd.training import OptimizerConfig, build_optimizer
from herd.training.optimizer import set_learning_rate, split_by_decay


def plain_adamw(
    weight: torch.Tensor, gradients: list[torch.Tensor], rate: float, decay: float
) -> torch.Tensor:
    """Loshchilov and Hutter 2019, algorithm 2, line by line, with Llama 2's constants."""
    beta1, beta2, epsilon = 0.9, 0.95, 1e-5
    first, second = torch.zeros_like(weight), torch.zeros_like(weight)
    for step, gradient in enumerate(gradients, start=1):
        first = beta1 * first + (1 - beta1) * gradient
        second = beta2 * second + (1 - beta2) * gradient**2
        update = (first / (1 - beta1**step)) / ((second / (1 - beta2**step)).sqrt() + epsilon)
        weight = weight - rate * decay * weight - rate * update
    return weight


def test_the_update_equals_adamw_written_out() -> None:
    torch.manual_seed(0)
    layer = torch.nn.Linear(7, 5).double()
    gradients = [torch.randn(5, 7, dtype=torch.float64) for _ in range(6)]
    biases = [torch.randn(5, dtype=torch.float64) for _ in range(6)]
    expected = plain_adamw(layer.weight.detach(), gradients, 0.01, decay=0.1)
    expected_bias = plain_adamw(layer.bias.detach(), biases, 0.01, decay=0.0)
    optimizer = build_optimizer(layer, OptimizerConfig())
    for gradient, bias in zip(gradients, biases, strict=True):
        layer.weight.grad, layer.bias.grad = gradient.clone(), bias.clone()
        set_learning_rate(optimizer, 0.01)
        optimizer.step()
    torch.testing.assert_close(layer.weight.detach(), expected, rtol=1e-12, atol=1e-12)
    torch.testing.assert_close(layer.bias.detach(), expected_bias, rtol=1e-12, atol=1e-12)


@pytest.mark.parametrize("tie_embeddings", [True, False])
def test_matrices_decay_and_norms_and_embeddings_do_not(tie_embeddings: bool) -> None:
    from herd.model import ModelConfig, Transformer

    config = ModelConfig(
        vocab_size=17,
        dim=8,
        n_layers=2,
        n_heads=2,
        n_kv_heads=2,
        ffn_dim=16,
        max_context=8,
        tie_embeddings=tie_embeddings,
    )
    model = Transformer(config)
    names = {parameter: name for name, parameter in model.named_parameters()}
    decayed, kept = split_by_decay(model)
    assert {names[parameter] for parameter in kept} == {
        "embedding.weight",
        "norm.weight",
        *(
            f"layers.{i}.{kind}_norm.weight"
            for i in (0, 1)
            for kind in ("attention", "feed_forward")
        ),
    }
    assert len(decayed) + len(kept) == len(names)
    assert ("output.weight" in {names[parameter] for parameter in decayed}) != tie_embeddings


@pytest.mark.parametrize(
    ("field", "value"), [("beta1", 1.0), ("beta2", -0.1), ("epsilon", 0.0), ("weight_decay", -1.0)]
)
def test_a_bad_constant_is_named(field: str, value: float) -> None:
    with pytest.raises(UserError, match=field):
        OptimizerConfig(**{field: value})
