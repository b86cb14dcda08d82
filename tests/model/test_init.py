"""Initial weights: their spread, and that only seed and name decide them."""

from dataclasses import replace

import pytest
import torch

from herd.model import ModelConfig, Transformer, init_weights

CONFIG = ModelConfig(
    vocab_size=512, dim=128, n_layers=4, n_heads=4, n_kv_heads=2, ffn_dim=320, max_context=64
)
BASE_STD = (2.0 / (5.0 * 128)) ** 0.5


@pytest.mark.parametrize(
    ("name", "std"),
    [
        ("embedding.weight", BASE_STD),
        ("output.weight", BASE_STD),
        ("layers.0.attention.q.weight", BASE_STD),
        ("layers.3.feed_forward.up.weight", BASE_STD),
        ("layers.0.attention.o.weight", BASE_STD / 8**0.5),
        ("layers.3.feed_forward.down.weight", BASE_STD / 8**0.5),
    ],
)
def test_standard_deviations_are_those_of_the_table(name, std):
    parameter = dict(_initialised(CONFIG, seed=0).named_parameters())[name]
    assert parameter.abs().max() <= 3 * std
    assert 0.95 * std < parameter.std() < 1.02 * std  # cutting at three deviations costs 1.3 %
    assert abs(parameter.mean()) < 0.02 * std


def test_norms_start_at_one():
    norms = [x for x in _initialised(CONFIG, seed=0).parameters() if x.dim() == 1]
    assert len(norms) == 9
    assert all(torch.equal(norm, torch.ones(128)) for norm in norms)


def test_same_seed_same_weights_other_seed_other_weights():
    first, again, other = (_initialised(CONFIG, seed=seed) for seed in (1, 1, 2))
    for ours, same, different in zip(
        first.parameters(), again.parameters(), other.parameters(), strict=True
    ):
        assert torch.equal(ours, same)
        assert ours.dim() == 1 or not torch.equal(ours, different)


def test_embedding_does_not_depend_on_the_layers_that_follow():
    deep, shallow = (_initialised(replace(CONFIG, n_layers=n), seed=0) for n in (4, 1))
    assert torch.equal(deep.embedding.weight, shallow.embedding.weight)
    assert torch.equal(deep.layers[0].attention.q.weight, shallow.layers[0].attention.q.weight)


def test_initial_loss_is_that_of_guessing():
    model = _initialised(CONFIG, seed=0)
    tokens_BT = torch.randint(512, (4, 64), generator=torch.Generator().manual_seed(0))
    loss = torch.nn.functional.cross_entropy(model(tokens_BT).flatten(0, 1), tokens_BT.flatten())
    assert abs(loss.item() - torch.tensor(512.0).log().item()) < 0.5


def _initialised(config, seed):
    model = Transformer(config)
    init_weights(model, seed=seed)
    return model
