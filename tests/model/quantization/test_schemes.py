"""Each scheme quantises the matrices it names and no other, and the model stays close to itself."""

import math

import pytest
import torch

from herd.foundation import UserError
from herd.model import (
    Fp8Linear,
    Int8Linear,
    quantize_model,
    quantized_linears,
    weight_bytes,
)

SCHEMES = ("int8", "fp8_ffn", "fp8_all")
CLOSE = {"int8": 0.02, "fp8_ffn": 0.05, "fp8_all": 0.1}


@pytest.mark.parametrize("scheme", SCHEMES)
@pytest.mark.parametrize("tied", [False, True])
def test_a_quantised_model_is_close_to_the_original(
    make_config, make_model, tokens_BT, scheme, tied
):
    model = make_model(make_config(tie_embeddings=tied))
    exact = model(tokens_BT)
    quantize_model(model, scheme)
    ours = model(tokens_BT)
    assert ours.dtype == torch.float32 and not torch.equal(ours, exact)
    assert ((ours - exact).norm() / exact.norm()).item() < CLOSE[scheme]


def test_the_papers_scheme_touches_feed_forward_layers_between_the_first_and_the_last(
    make_config, make_model
):
    model = make_model(make_config())
    before = {name: weight.clone() for name, weight in model.state_dict().items()}
    quantize_model(model, "fp8_ffn")
    quantized = {
        f"layers.{layer}.feed_forward.{kind}" for layer in (1, 2) for kind in ("gate", "up", "down")
    }
    assert set(quantized_linears(model)) == quantized
    for name, weight in model.state_dict().items():
        if name.rpartition(".")[0] not in quantized:
            assert torch.equal(weight, before[name]), name


@pytest.mark.parametrize("n_layers", [1, 2])
def test_the_papers_scheme_refuses_a_model_without_inner_layers(make_config, make_model, n_layers):
    with pytest.raises(UserError, match=f"has {n_layers}; choose int8 or fp8_all"):
        quantize_model(make_model(make_config(n_layers=n_layers)), "fp8_ffn")


@pytest.mark.parametrize("scheme", ["int8", "fp8_all"])
@pytest.mark.parametrize("tied", [False, True])
def test_the_other_schemes_quantise_every_matrix_but_the_embedding(
    make_config, make_model, scheme, tied
):
    model = make_model(make_config(tie_embeddings=tied))
    embedding = model.embedding.weight.clone()
    quantize_model(model, scheme)
    kind = Int8Linear if scheme == "int8" else Fp8Linear
    assert len(quantized_linears(model)) == 4 * 7 + 1
    assert all(isinstance(linear, kind) for linear in quantized_linears(model).values())
    assert not any(isinstance(module, torch.nn.Linear) for module in model.modules())
    assert torch.equal(model.embedding.weight, embedding)
    torch.testing.assert_close(model.output_weight_VD, model.output.dequantized(), rtol=0, atol=0)


@pytest.mark.parametrize("scheme", SCHEMES)
def test_the_loss_is_that_of_the_logits_up_to_the_rounding_of_the_heads_inputs(
    make_config, make_model, tokens_BT, scheme
):
    model = make_model(make_config())
    quantize_model(model, scheme)
    loss = model.loss(tokens_BT, tokens_BT, loss_mask_BT=torch.ones_like(tokens_BT))
    logits_NV = model(tokens_BT).flatten(0, 1)
    expected = torch.nn.functional.cross_entropy(logits_NV, tokens_BT.flatten(), reduction="sum")
    torch.testing.assert_close(loss.loss_sum_nats, expected, rtol=1e-2, atol=0)


@pytest.mark.parametrize("scheme", SCHEMES)
def test_a_model_quantised_in_bfloat16_runs_in_bfloat16(make_config, make_model, tokens_BT, scheme):
    model = make_model(make_config(), torch.bfloat16)
    exact = model(tokens_BT)
    quantize_model(model, scheme)
    assert model.hidden(tokens_BT).dtype == torch.bfloat16
    assert ((model(tokens_BT) - exact).norm() / exact.norm()).item() < CLOSE[scheme] + 0.02


@pytest.mark.parametrize("scheme", [None, *SCHEMES])
@pytest.mark.parametrize("dtype", [torch.float32, torch.bfloat16])
@pytest.mark.parametrize("changes", [{}, {"tie_embeddings": True}, {"ffn_dim": 80}])
def test_the_bytes_foretold_are_the_bytes_held(make_config, make_model, scheme, dtype, changes):
    model = make_model(make_config(**changes), dtype)
    if scheme is not None:
        quantize_model(model, scheme)
    held = sum(tensor.nbytes for tensor in model.state_dict().values())
    assert weight_bytes(model.config, dtype, scheme) == held


def test_a_model_is_quantised_once(make_config, make_model):
    model = make_model(make_config())
    quantize_model(model, "int8")
    with pytest.raises(UserError, match="already"):
        quantize_model(model, "fp8_all")


def test_an_unknown_scheme_is_refused_with_those_that_are_known(make_config, make_model):
    with pytest.raises(UserError, match="int3.*int8, fp8_ffn, fp8_all"):
        quantize_model(make_model(make_config()), "int3")


@pytest.mark.parametrize("scheme", SCHEMES)
def test_a_broken_weight_is_named(make_config, make_model, scheme):
    model = make_model(make_config())
    with torch.no_grad():
        model.layers[1].feed_forward.up.weight[0, 0] = math.nan
    with pytest.raises(UserError, match=r"layers\.1\.feed_forward\.up.*finite"):
        quantize_model(model, scheme)
