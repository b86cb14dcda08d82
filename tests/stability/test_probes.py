"""Probes against naive loops, a real Llama, and the training that they must not change."""

import math
from typing import Any

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from torch import Tensor, nn
from torch.utils._python_dispatch import TorchDispatchMode

from herd.foundation import UserError
from herd.stability.probes import (
    AttentionLogitProbe,
    OutputLogitProbe,
    attention_entropy,
    attention_logit_bound,
    largest,
    max_attention_logits,
    output_logits,
)

transformers = pytest.importorskip("transformers")


def normal(*shape: int, seed: int = 0, dtype: torch.dtype = torch.float32) -> Tensor:
    return torch.randn(*shape, generator=torch.Generator().manual_seed(seed), dtype=dtype)


def naive(q_BTHC: Tensor, k_BSKC: Tensor, causal: bool) -> tuple[list[float], list[float]]:
    """One dot product at a time: the largest logit and the mean entropy of each head."""
    n_batch, n_queries, n_heads, width = q_BTHC.shape
    n_keys, n_key_heads = k_BSKC.shape[1:3]
    best, entropies = [], []
    for head in range(n_heads):
        key_head, rows = head // (n_heads // n_key_heads), []
        for b in range(n_batch):
            for t in range(n_queries):
                n_seen = n_keys - n_queries + t + 1 if causal else n_keys
                q = q_BTHC[b, t, head].double()
                keys = [k_BSKC[b, s, key_head].double() for s in range(n_seen)]
                rows.append([float(q @ k) / math.sqrt(width) for k in keys])
        best.append(max(max(row) for row in rows))
        parts = [[math.exp(x) / sum(math.exp(y) for y in row) for x in row] for row in rows]
        entropies.append(sum(-sum(p * math.log(p) for p in row) for row in parts) / len(rows))
    return best, entropies


@pytest.mark.parametrize("causal", [True, False])
@pytest.mark.parametrize(("heads", "key_heads"), [(4, 4), (4, 2), (3, 1)])
@pytest.mark.parametrize(("queries", "keys"), [(5, 5), (2, 6), (1, 1)])
def test_logits_and_entropy_are_those_of_a_loop_over_all_pairs(
    causal: bool, heads: int, key_heads: int, queries: int, keys: int
) -> None:
    q, k = normal(2, queries, heads, 8), normal(2, keys, key_heads, 8, seed=1)
    best, entropies = naive(q, k, causal)
    assert max_attention_logits(q, k, causal=causal).tolist() == pytest.approx(best, rel=1e-5)
    assert attention_entropy(q, k, causal=causal).tolist() == pytest.approx(
        entropies, rel=1e-5, abs=1e-6
    )


def rotated(x_BTHC: Tensor, base: float = 10.0) -> Tensor:
    """Rotary embedding in complex numbers."""
    pairs = torch.view_as_complex(x_BTHC.unflatten(-1, (-1, 2)).contiguous())
    angles = torch.outer(
        torch.arange(x_BTHC.shape[1]), base ** -torch.arange(0, 1, 1 / pairs.shape[-1])
    )
    turned = pairs * torch.polar(torch.ones_like(angles), angles)[:, None]
    return torch.view_as_real(turned).flatten(-2)


@settings(max_examples=30, deadline=None)
@given(st.integers(0, 10_000), st.floats(0.01, 100))
def test_the_bound_is_above_every_logit_rotated_or_not_and_scales(seed: int, factor: float) -> None:
    q, k = normal(2, 6, 4, 8, seed=seed), normal(2, 6, 2, 8, seed=seed + 1)
    bound = attention_logit_bound(q, k)
    assert (bound >= max_attention_logits(q, k, causal=False) - 1e-5).all()
    assert (bound >= max_attention_logits(rotated(q), rotated(k), causal=False) - 1e-5).all()
    torch.testing.assert_close(attention_logit_bound(rotated(q), rotated(k)), bound)
    torch.testing.assert_close(attention_logit_bound(factor * q, k), factor * bound)
    torch.testing.assert_close(
        max_attention_logits(factor * q, k), factor * max_attention_logits(q, k)
    )


def test_entropy_is_that_of_uniform_rows_without_logits_and_collapses_with_large_ones() -> None:
    zero, k = torch.zeros(1, 4, 1, 8), normal(1, 4, 1, 8)
    expected = sum(math.log(t) for t in (1, 2, 3, 4)) / 4
    assert attention_entropy(zero, k).item() == pytest.approx(expected)
    assert attention_entropy(1e4 * normal(1, 4, 1, 8, seed=1), k).item() < 1e-3


def test_key_heads_that_do_not_divide_and_missing_keys_are_named() -> None:
    with pytest.raises(UserError, match="3 query heads cannot share 2"):
        max_attention_logits(normal(1, 2, 3, 4), normal(1, 2, 2, 4))
    with pytest.raises(UserError, match="a key for every query"):
        max_attention_logits(normal(1, 3, 2, 4), normal(1, 2, 2, 4))


def test_output_statistics_are_those_of_all_logits_in_float64() -> None:
    hidden, weight = normal(3, 5, 8), normal(32, 8, seed=1)
    found = output_logits(hidden, weight)
    logits = hidden.double().flatten(0, 1) @ weight.double().T
    log_z = logits.exp().sum(-1).log()
    torch.testing.assert_close(found.log_z.double(), log_z.mean(), rtol=1e-5, atol=0)
    torch.testing.assert_close(found.log_z_squared.double(), (log_z**2).mean(), rtol=1e-5, atol=0)
    torch.testing.assert_close(found.max_abs_logit.double(), logits.abs().max(), rtol=1e-5, atol=0)


def test_only_a_few_positions_are_looked_at() -> None:
    hidden, weight = normal(1000, 8), normal(32, 8, seed=1)
    some = output_logits(hidden[::100], weight)
    assert torch.equal(output_logits(hidden, weight, n_positions=10).log_z, some.log_z)


def tiny(kind: str = "Llama", **changes: Any) -> nn.Module:
    torch.manual_seed(0)
    sizes = {
        "vocab_size": 32, "hidden_size": 16, "intermediate_size": 32, "num_hidden_layers": 2,
        "num_attention_heads": 4, "num_key_value_heads": 2, "max_position_embeddings": 32,
        "head_dim": 4, "attn_implementation": "eager", "pad_token_id": 0,
    }  # fmt: skip
    name = "Gemma3TextConfig" if kind == "Gemma3" else f"{kind}Config"
    config = getattr(transformers, name)(**(sizes | changes))
    return getattr(transformers, f"{kind}ForCausalLM")(config)


@pytest.mark.parametrize("kind", ["Llama", "Qwen3", "Olmo2", "Gemma3"])
def test_the_bound_of_a_real_model_is_that_of_its_rotated_queries_and_keys(
    kind: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The real q and k are caught where the model hands them to its attention function."""
    model = tiny(kind).train()
    caught: list[Tensor] = []
    module = __import__(type(model).__module__, fromlist=["_"])
    real = module.eager_attention_forward

    def catch(layer: Any, query: Tensor, key: Tensor, *rest: Any, **kwargs: Any) -> Any:
        q, k = query.detach().transpose(1, 2), key.detach().transpose(1, 2)
        caught.append(attention_logit_bound(q, k, scale=layer.scaling))
        return real(layer, query, key, *rest, **kwargs)

    monkeypatch.setattr(module, "eager_attention_forward", catch)
    probe = AttentionLogitProbe(model)
    model(input_ids=torch.arange(16).reshape(2, 8))
    found = probe.take()
    assert list(found) == [f"model.layers.{i}.self_attn" for i in range(2)]
    for ours, theirs in zip(found.values(), caught, strict=True):
        torch.testing.assert_close(ours, theirs)
    torch.testing.assert_close(largest(found), torch.stack(caught).max())
    assert probe.take() == {} and largest({}) is None


class Plain(nn.Module):
    """Attention without positions, under names of its own."""

    def __init__(self) -> None:
        super().__init__()
        torch.manual_seed(0)
        self.to_q, self.to_k = nn.Linear(8, 8), nn.Linear(8, 4)

    def forward(self, x: Tensor) -> Tensor:
        return self.to_q(x).sum() + self.to_k(x).sum()


def test_without_rotation_the_probe_is_exact_and_keeps_the_largest_of_several_passes() -> None:
    model, expected = Plain(), []
    probe = AttentionLogitProbe(model, names=("to_q", "to_k"), head_dim=4, rotates=False)
    for seed in range(3):
        x = normal(2, 5, 8, seed=seed)
        model(x)
        q, k = model.to_q(x).detach().view(2, 5, 2, 4), model.to_k(x).detach().view(2, 5, 1, 4)
        expected.append(max_attention_logits(q, k))
    probe.detach()
    assert not model.to_q._forward_hooks and not model.to_k._forward_hooks
    torch.testing.assert_close(probe.take()[""], torch.stack(expected).amax(0))


def test_evaluation_is_not_measured() -> None:
    model = tiny().eval()
    attention, output = AttentionLogitProbe(model), OutputLogitProbe(model)
    model(input_ids=torch.arange(8)[None])
    assert attention.take() == {} and output.take() is None


def test_the_output_probe_sees_the_models_logits() -> None:
    model = tiny().train()
    probe = OutputLogitProbe(model, n_positions=1000)
    logits = [model(input_ids=torch.arange(8)[None] + i).logits.detach() for i in range(2)]
    found, log_z = probe.take(), torch.stack(logits).logsumexp(-1)
    torch.testing.assert_close(found.log_z, log_z.mean())
    torch.testing.assert_close(found.log_z_squared, log_z.square().mean())
    torch.testing.assert_close(found.max_abs_logit, torch.stack(logits).abs().max())


def trained(probed: bool) -> tuple[nn.Module, Tensor]:
    """Train a model with dropout for some steps; return it and the next random numbers."""
    model = tiny(attention_dropout=0.1).train()
    optimizer = torch.optim.AdamW(model.parameters(), lr=1e-2)
    probes = [AttentionLogitProbe(model), OutputLogitProbe(model)] if probed else []
    for step in range(3):
        ids = torch.randint(0, 32, (2, 8), generator=torch.Generator().manual_seed(step))
        optimizer.zero_grad()
        model(input_ids=ids, labels=ids).loss.backward()
        optimizer.step()
        assert all(each.take() for each in probes)
    return model, torch.rand(4)


def test_probes_change_no_number_of_a_training() -> None:
    (ours, our_random), (theirs, their_random) = trained(probed=True), trained(probed=False)
    pairs = zip(ours.parameters(), theirs.parameters(), strict=True)
    assert all(torch.equal(a, b) for a, b in pairs)
    assert torch.equal(our_random, their_random)


class Recorded(TorchDispatchMode):
    """Keeps the name of every operation."""

    def __init__(self) -> None:
        super().__init__()
        self.names: set[str] = set()

    def __torch_dispatch__(
        self, function: Any, types: Any, args: Any = (), kwargs: Any = None
    ) -> Any:
        self.names.add(function.overloadpacket.__name__)
        assert torch.Tag.nondeterministic_seeded not in function.tags
        return function(*args, **(kwargs or {}))


@pytest.mark.parametrize("rotates", [True, False])
def test_no_operation_of_a_probe_reads_a_number_back_or_draws_one(rotates: bool) -> None:
    model = Plain()
    model.lm_head = nn.Linear(8, 16)
    attention = AttentionLogitProbe(
        model, names=("to_q", "to_k"), head_dim=4, rotates=rotates, n_positions=3
    )
    output = OutputLogitProbe(model, n_positions=3)
    x, weight, q = normal(2, 9, 8), normal(16, 8), normal(1, 2, 3, 4)
    with Recorded() as recorded:
        for _ in range(2):
            model.lm_head(x)
            model(x)
        largest(attention.take())
        output.take()
        output_logits(x, weight)
        attention_entropy(q, q)
    assert {"logsumexp", "amax"} <= recorded.names
    assert not recorded.names & {"_local_scalar_dense", "nonzero", "equal", "is_nonzero"}


def test_what_is_not_found_is_asked_for() -> None:
    with pytest.raises(UserError, match="give names"):
        AttentionLogitProbe(nn.Linear(2, 2))
    with pytest.raises(UserError, match="give head_dim"):
        AttentionLogitProbe(Plain(), names=("to_q", "to_k"))
    with pytest.raises(UserError, match="give its name"):
        OutputLogitProbe(nn.Linear(2, 2))
