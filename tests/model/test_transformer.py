"""The whole model: causality, documents, caches, recomputation, precision, compilation."""

from dataclasses import replace

import pytest
import torch

from herd import ops
from herd.model import ModelConfig, RopeScaling, Transformer, init_weights

CONFIG = ModelConfig(
    vocab_size=61,
    dim=32,
    n_layers=2,
    n_heads=4,
    n_kv_heads=2,
    ffn_dim=48,
    max_context=256,
    rope_theta=10_000.0,
    rope_scaling=RopeScaling(factor=8.0, original_context=32),
)


@pytest.mark.parametrize("n_tokens", [9, 150])  # one block of queries, and two
def test_logits_do_not_depend_on_later_tokens(n_tokens):
    model, tokens_BT = _model(), _tokens(2, n_tokens)
    before = model(tokens_BT)
    tokens_BT[:, 6:] = 3
    after = model(tokens_BT)
    assert torch.equal(before[:, :6], after[:, :6])
    assert not torch.allclose(before[:, 6:], after[:, 6:])


@pytest.mark.parametrize("lengths", [(5, 4), (1, 1, 7), (130, 70, 3)])
def test_documents_packed_into_a_row_equal_documents_alone(lengths):
    model, tokens_BT = _model(), _tokens(1, sum(lengths))
    segment_BT = torch.cat([torch.full((1, n), i) for i, n in enumerate(lengths)], dim=1)
    packed = model(tokens_BT, segment_BT=segment_BT)
    alone = torch.cat([model(document) for document in tokens_BT.split(lengths, dim=1)], dim=1)
    torch.testing.assert_close(packed, alone, rtol=1e-5, atol=1e-5)
    assert not torch.allclose(packed, model(tokens_BT), atol=1e-3)


def test_loss_and_gradients_of_packed_documents_are_the_sums_of_those_alone():
    model, tokens_BT, lengths = _model(), _tokens(1, 12), (7, 5)
    segment_BT = torch.tensor([[0] * 7 + [1] * 5])
    ones_BT = torch.ones(1, 12)
    packed = model.loss(tokens_BT, tokens_BT, loss_mask_BT=ones_BT, segment_BT=segment_BT)
    packed_gradients = torch.autograd.grad(packed.loss_sum_nats, list(model.parameters()))
    alone = [
        model.loss(x, x, loss_mask_BT=torch.ones_like(x)) for x in tokens_BT.split(lengths, dim=1)
    ]
    total = sum(part.loss_sum_nats for part in alone)
    torch.testing.assert_close(packed.loss_sum_nats, total)
    assert packed.n_tokens == sum(part.n_tokens for part in alone) == 12
    for ours, theirs in zip(
        packed_gradients, torch.autograd.grad(total, list(model.parameters())), strict=True
    ):
        torch.testing.assert_close(ours, theirs, rtol=1e-4, atol=1e-4)


def test_only_distances_between_positions_matter():
    model, tokens_BT = _model(), _tokens(1, 10)
    shifted = model(tokens_BT, position_BT=torch.arange(10)[None] + 37)
    torch.testing.assert_close(model(tokens_BT), shifted, rtol=1e-4, atol=1e-4)


@pytest.mark.parametrize("pieces", [(10,), (4, 6), (1,) * 10, (7, 1, 2)])
def test_a_cache_fed_in_pieces_gives_the_logits_of_the_whole(pieces):
    model, tokens_BT, cache = _model(), _tokens(2, 10), _GrowingCache()
    positions = torch.arange(10)[None].split(pieces, dim=1)
    parts = [
        model(tokens, position_BT=position, cache=cache)
        for tokens, position in zip(tokens_BT.split(pieces, dim=1), positions, strict=True)
    ]
    torch.testing.assert_close(torch.cat(parts, dim=1), model(tokens_BT), rtol=1e-5, atol=1e-5)


def test_a_cache_asks_for_positions():
    with pytest.raises(ValueError, match="position_BT"):
        _model()(_tokens(1, 3), cache=_GrowingCache())


@pytest.mark.parametrize("with_segments", [False, True])
def test_recomputation_changes_nothing(with_segments):
    model, tokens_BT = _model(), _tokens(2, 20)
    segment_BT = torch.tensor([[0] * 8 + [1] * 12] * 2) if with_segments else None
    losses, gradients = [], []
    for recompute in (False, True):
        result = model.loss(
            tokens_BT,
            tokens_BT,
            loss_mask_BT=torch.ones(2, 20),
            segment_BT=segment_BT,
            recompute=recompute,
        )
        losses.append(result.loss_sum_nats)
        gradients.append(torch.autograd.grad(result.loss_sum_nats, list(model.parameters())))
    assert torch.equal(*losses)
    assert all(torch.equal(a, b) for a, b in zip(*gradients, strict=True))


def test_recomputation_keeps_fewer_tensors():
    model, tokens_BT = _model(), _tokens(2, 20)
    kept = {recompute: _bytes_kept(model, tokens_BT, recompute) for recompute in (False, True)}
    assert kept[True] < kept[False] / 3


@pytest.mark.parametrize("tie_embeddings", [False, True])
def test_loss_equals_the_plain_loss_of_the_logits(tie_embeddings):
    model = _model(replace(CONFIG, tie_embeddings=tie_embeddings))
    tokens_BT, targets_BT = _tokens(2, 9), _tokens(2, 9).flip(1)
    loss_sum, _ = model.loss(tokens_BT, targets_BT, loss_mask_BT=torch.ones(2, 9))
    plain = torch.nn.functional.cross_entropy(
        model(tokens_BT).flatten(0, 1), targets_BT.flatten(), reduction="sum"
    )
    torch.testing.assert_close(loss_sum, plain, rtol=1e-6, atol=0.0)


def test_tied_model_has_no_output_parameter():
    names = [name for name, _ in _model(replace(CONFIG, tie_embeddings=True)).named_parameters()]
    assert "output.weight" not in names
    assert "output.weight" in dict(_model().named_parameters())


@pytest.mark.parametrize("tie_embeddings", [False, True])
def test_a_module_called_output_makes_the_logits_whatever_it_is_made_of(tie_embeddings):
    model, tokens_BT = _model(replace(CONFIG, tie_embeddings=tie_embeddings)), _tokens(1, 4)
    hidden_BTD = model.hidden(tokens_BT)
    assert torch.equal(model.logits(hidden_BTD), model(tokens_BT))
    model.output = torch.nn.Linear(CONFIG.dim, 3, bias=False)
    assert torch.equal(model.logits(hidden_BTD), model.output(hidden_BTD))


def test_a_packed_cache_does_the_attention_itself():
    class Packed:
        def attend(self, layer, q_BTHC, k_BTKC, v_BTKC):
            return torch.cat(
                [
                    ops.attention_plain(q, k, v)
                    for q, k, v in zip(
                        *(x.split((4, 6), 1) for x in (q_BTHC, k_BTKC, v_BTKC)), strict=True
                    )
                ],
                dim=1,
            )

    model, tokens_BT = _model(), _tokens(1, 10)
    positions = torch.tensor([[0, 1, 2, 3, 0, 1, 2, 3, 4, 5]])
    segment_BT = torch.tensor([[0] * 4 + [1] * 6])
    packed = model(tokens_BT, position_BT=positions, cache=Packed())
    torch.testing.assert_close(
        packed, model(tokens_BT, segment_BT=segment_BT), rtol=1e-5, atol=1e-5
    )


def test_autocast_stays_near_float32_and_gives_float32_gradients():
    model, tokens_BT = _model(), _tokens(2, 40)
    mask_BT = torch.ones(2, 40)
    exact, _ = model.loss(tokens_BT, tokens_BT, loss_mask_BT=mask_BT)
    exact_gradients = torch.autograd.grad(exact, list(model.parameters()))
    with torch.autocast("cpu", torch.bfloat16):
        rounded, _ = model.loss(tokens_BT, tokens_BT, loss_mask_BT=mask_BT)
        logits_BTV = model(tokens_BT)
    rounded.backward()
    assert logits_BTV.dtype == rounded.dtype == torch.float32
    assert abs(rounded - exact) < 0.005 * exact
    for parameter, theirs in zip(model.parameters(), exact_gradients, strict=True):
        assert parameter.grad.dtype == torch.float32
        assert (parameter.grad - theirs).norm() < 0.05 * theirs.norm()


def test_a_bfloat16_model_gives_float32_logits_near_those_of_float32():
    model, tokens_BT = _model(), _tokens(2, 12)
    exact = model(tokens_BT)
    rounded = model.bfloat16()(tokens_BT)
    assert rounded.dtype == torch.float32
    assert (rounded - exact).norm() < 0.03 * exact.norm()


# PyTorch's tracer instantiates autograd functions itself, and warns itself against it.
@pytest.mark.filterwarnings("ignore:.*should not be instantiated:DeprecationWarning")
@pytest.mark.parametrize("with_segments", [False, True])
def test_the_loss_compiles_into_one_graph(with_segments):
    model, tokens_BT = _model(), _tokens(2, 20)
    segment_BT = torch.tensor([[0] * 8 + [1] * 12] * 2) if with_segments else None
    arguments = {"loss_mask_BT": torch.ones(2, 20), "segment_BT": segment_BT}
    compiled = torch.compile(model.loss, fullgraph=True, backend="aot_eager")
    results = []
    for loss in (model.loss, compiled):
        loss_sum, _ = loss(tokens_BT, tokens_BT, **arguments)
        results.append([loss_sum, *torch.autograd.grad(loss_sum, list(model.parameters()))])
    for ours, theirs in zip(*results, strict=True):
        torch.testing.assert_close(ours, theirs, rtol=1e-4, atol=1e-4)


class _GrowingCache:
    def __init__(self):
        self.kept = {}

    def update(self, layer, k_BTKC, v_BTKC):
        if layer in self.kept:
            k_BTKC, v_BTKC = (
                torch.cat(pair, dim=1)
                for pair in zip(self.kept[layer], (k_BTKC, v_BTKC), strict=True)
            )
        self.kept[layer] = (k_BTKC, v_BTKC)
        return k_BTKC, v_BTKC


def _bytes_kept(model, tokens_BT, recompute):
    sizes = {}

    def keep(tensor):
        sizes[tensor.data_ptr()] = tensor.untyped_storage().nbytes()
        return tensor

    parameters = {x.data_ptr() for x in model.parameters()}
    with torch.autograd.graph.saved_tensors_hooks(keep, lambda tensor: tensor):
        hidden_BTD = model.hidden(tokens_BT, recompute=recompute)
    assert hidden_BTD.requires_grad
    return sum(size for pointer, size in sizes.items() if pointer not in parameters)


def _model(config=CONFIG):
    model = Transformer(config)
    init_weights(model, seed=0)
    return model


def _tokens(n_rows, n_tokens):
    generator = torch.Generator().manual_seed(0)
    return torch.randint(CONFIG.vocab_size, (n_rows, n_tokens), generator=generator)
