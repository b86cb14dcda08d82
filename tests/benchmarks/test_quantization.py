"""The parts of benchmarks/quantization.py that its figures rest on."""

from pathlib import Path

import pytest
import torch

from herd.model import ModelConfig, Transformer, init_weights

BENCHMARKS = Path(__file__).resolve().parents[2] / "benchmarks"


@pytest.fixture
def bench(monkeypatch):
    monkeypatch.syspath_prepend(str(BENCHMARKS))
    import quantization

    monkeypatch.setattr(quantization, "PROMPT_TOKENS", 6)
    monkeypatch.setattr(quantization, "NEW_TOKENS", 5)
    return quantization


@pytest.mark.parametrize(
    ("other", "length"), [([1, 2, 3], 3), ([1, 2, 4], 2), ([5, 2, 3], 0), ([1, 2], 2), ([], 0)]
)
def test_the_first_difference_is_the_length_of_the_common_beginning(bench, other, length):
    assert bench.first_difference([1, 2, 3], other) == length


def test_windows_lie_equally_far_apart_and_within_the_text(bench):
    found = [window.tolist() for window in bench.windows(list(range(100)), 9, 10)]
    assert [window[0] for window in found] == list(range(0, 90, 10))
    assert all(window == list(range(window[0], window[0] + 10)) for window in found)


@torch.inference_mode()
def test_greedy_text_is_the_plain_one_and_the_model_agrees_with_itself(bench):
    model, prompts = _model(1), torch.randint(0, 96, (10, 6))
    found = bench.continue_greedily(model, prompts)
    for prompt, expected in zip(prompts, found.tolist(), strict=True):
        ids = prompt.tolist()
        for _ in range(5):
            ids.append(int(model(torch.tensor([ids]))[0, -1].argmax()))
        assert ids[6:] == expected
    assert bench.same_prefix(model, prompts, found) == [5] * 10


@torch.inference_mode()
def test_another_models_agreement_is_found_without_running_it_freely(bench):
    model, other, prompts = _model(1), _model(2), torch.randint(0, 96, (10, 6))
    expected = bench.continue_greedily(model, prompts)
    free = bench.continue_greedily(other, prompts)
    pairs = zip(expected.tolist(), free.tolist(), strict=True)
    assert bench.same_prefix(other, prompts, expected) == [
        bench.first_difference(ours, theirs) for ours, theirs in pairs
    ]


def test_sums_are_those_of_the_definitions(bench):
    torch.manual_seed(0)
    exact, ours = (torch.randn(7, 11).log_softmax(-1) for _ in range(2))
    ids = torch.randint(0, 11, (7,))
    total = bench.Quality()
    bench.add(total, ours, exact, ids, n_bytes=20)
    kl = torch.distributions.kl_divergence(
        torch.distributions.Categorical(logits=exact), torch.distributions.Categorical(logits=ours)
    )
    assert total.kl_nats == pytest.approx(kl.sum().item(), rel=1e-4)
    loss = torch.nn.functional.cross_entropy(ours, ids, reduction="sum")
    assert total.loss_nats == pytest.approx(loss.item(), rel=1e-5)
    assert (total.n_tokens, total.n_bytes) == (7, 20)


def _model(seed):
    config = ModelConfig(
        vocab_size=96, dim=32, n_layers=2, n_heads=2, n_kv_heads=1, ffn_dim=48, max_context=64
    )
    model = Transformer(config)
    init_weights(model, seed=seed)
    return model
