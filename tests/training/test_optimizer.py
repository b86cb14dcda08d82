"""AdamW: the update written out as oracle, and which parameters decay."""

import pytest
import torch

from herd.foundation import UserError
from herd.stability import InterventionConfig, StabilizedAdamW
from herd.training import OptimizerConfig, StagesState, TrainState, build_optimizer, count_calls
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


@pytest.mark.parametrize(
    "asked",
    [
        None,
        InterventionConfig(),
        InterventionConfig(skip_step=True, qk_clip=100.0, z_loss=1e-4, rollback=True),
    ],
)
def test_without_an_intervention_of_its_own_it_is_torchs_fused_adamw(asked) -> None:
    optimizer = build_optimizer(torch.nn.Linear(3, 2), OptimizerConfig(), asked)
    assert type(optimizer) is torch.optim.AdamW and optimizer.defaults["fused"]


def stabilized(seed: int = 0, **asked) -> tuple[torch.nn.Module, StabilizedAdamW]:
    torch.manual_seed(seed)
    layer = torch.nn.Linear(7, 5)
    optimizer = build_optimizer(layer, OptimizerConfig(), InterventionConfig(**asked))
    assert isinstance(optimizer, StabilizedAdamW)
    return layer, optimizer


def test_its_stages_know_the_tensors_by_name() -> None:
    layer, optimizer = stabilized(update_clip=True)
    names = [optimizer.names[id(parameter)] for parameter in layer.parameters()]
    assert names == ["weight", "bias"]


def test_the_state_of_the_stages_comes_back() -> None:
    layer, optimizer = stabilized(zclip=True, adagc=True)
    for _ in range(3):
        layer(torch.randn(4, 7)).square().sum().backward()
        optimizer.step()
        optimizer.zero_grad()
    _, other = stabilized(zclip=True, adagc=True)
    StagesState(other).load_state_dict(StagesState(optimizer).state_dict())
    ours, theirs = StagesState(optimizer).state_dict(), StagesState(other).state_dict()
    assert ours["n_calls"] == theirs["n_calls"] == 3
    assert torch.equal(
        ours["stages"]["AdaGC"]["gammas"]["weight"], theirs["stages"]["AdaGC"]["gammas"]["weight"]
    )
    assert torch.equal(
        ours["stages"]["ZClip"]["warmup_norms"], theirs["stages"]["ZClip"]["warmup_norms"]
    )


def test_a_state_of_other_stages_is_refused() -> None:
    _, one = stabilized(zclip=True)
    _, other = stabilized(adagc=True)
    with pytest.raises(UserError, match="AdaGC"):
        StagesState(other).load_state_dict(StagesState(one).state_dict())


def test_its_count_follows_the_runs_steps() -> None:
    _, optimizer = stabilized(zclip=True)
    count_calls(optimizer)(TrainState(step=41), None)
    assert optimizer.n_calls == 41
