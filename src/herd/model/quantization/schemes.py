"""Which matrices of a Llama are quantised, and how.

In: a scheme's name and a config or a model. Out: names of modules, or the model with those replaced.
Never: files; what a scheme is called in Hugging Face's config.json is known in `formats`.
"""

from typing import Literal, get_args

import torch

from herd import ops
from herd.foundation import UserError
from herd.model.config import ModelConfig
from herd.model.quantization.fp8 import Fp8Linear
from herd.model.quantization.int8 import Int8Linear
from herd.model.size import parameter_count
from herd.model.transformer import Transformer

QuantizationScheme = Literal["int8", "fp8_ffn", "fp8_all"]
QuantizedLinear = Int8Linear | Fp8Linear

HEAD = "output"
FEED_FORWARD = ("feed_forward.gate", "feed_forward.up", "feed_forward.down")
ATTENTION = ("attention.q", "attention.k", "attention.v", "attention.o")
LINEAR_KINDS = frozenset(name.rpartition(".")[2] for name in (*ATTENTION, *FEED_FORWARD, HEAD))


def quantize_model(model: Transformer, scheme: QuantizationScheme) -> None:
    """Replace matrices of the model by quantised ones, one at a time, in place.

    `int8`: every matrix in 8-bit integers. `fp8_ffn`: the paper's, feed-forward layers in 8-bit
    floats except the first and the last. `fp8_all`: every matrix. A head that shares its matrix
    with the embedding becomes a module `output` of its own; the embedding stays as it is. Raises
    UserError for an unknown scheme, a model that is quantised already, and weights not finite.
    """
    check_unquantized(model)
    names = quantized_names(model.config, scheme)
    if not names:
        raise UserError(
            f"{scheme} leaves the first and the last layer alone, and the model has "
            f"{model.config.n_layers}; choose int8 or fp8_all"
        )
    for name in names:
        put_linear(model, name, quantize_matrix(_matrix(model, name), scheme, name))


def quantized_names(config: ModelConfig, scheme: QuantizationScheme) -> tuple[str, ...]:
    """Return the names of the modules that the scheme quantises, in the model's order."""
    if scheme not in get_args(QuantizationScheme):
        known = ", ".join(get_args(QuantizationScheme))
        raise UserError(f"unknown quantisation {scheme!r}; choose one of {known}")
    layers = range(config.n_layers)
    if scheme == "fp8_ffn":
        return tuple(f"layers.{layer}.{kind}" for layer in layers[1:-1] for kind in FEED_FORWARD)
    every = (*ATTENTION, *FEED_FORWARD)
    return (*(f"layers.{layer}.{kind}" for layer in layers for kind in every), HEAD)


def quantize_matrix(
    weight_NK: torch.Tensor, scheme: QuantizationScheme, name: str
) -> QuantizedLinear:
    """Return the module that stands for a matrix; `name` is for the message of UserError."""
    try:
        return Int8Linear.of(weight_NK) if scheme == "int8" else Fp8Linear.of(weight_NK)
    except ValueError as error:
        raise UserError(f"{name} cannot be quantised: {error}; check the weights") from error


def quantized_linears(model: Transformer) -> dict[str, QuantizedLinear]:
    """Return the quantised modules of a model by name; none for a plain one."""
    modules = model.named_modules()
    return {name: module for name, module in modules if isinstance(module, QuantizedLinear)}


def scheme_of(model: Transformer) -> QuantizationScheme | None:
    """Return the scheme that would give exactly these quantised modules, None if none would."""
    linears = quantized_linears(model)
    schemes: tuple[QuantizationScheme, ...] = get_args(QuantizationScheme)
    for scheme in schemes:
        kind = Int8Linear if scheme == "int8" else Fp8Linear
        of_its_kind = all(isinstance(linear, kind) for linear in linears.values())
        if linears and of_its_kind and set(linears) == set(quantized_names(model.config, scheme)):
            return scheme
    return None


def check_unquantized(model: Transformer) -> None:
    """Raise UserError when some of the model's matrices are quantised."""
    if quantized_linears(model):
        raise UserError("the model is quantised already; start from the original weights")


def weight_bytes(
    config: ModelConfig, dtype: torch.dtype, scheme: QuantizationScheme | None = None
) -> int:
    """Return the bytes of the weights, from the config alone; what is not quantised has `dtype`.

    A tied head that is quantised is counted beside the embedding, since it is held beside it.
    """
    total = parameter_count(config) * dtype.itemsize
    if scheme is None:
        return total
    with torch.device("meta"):
        model = Transformer(config)
    for name in quantized_names(config, scheme):
        is_beside = name == HEAD and config.tie_embeddings
        n_outputs, n_inputs = _matrix(model, name).shape
        total += _quantized_bytes(n_outputs, n_inputs, scheme)
        total -= 0 if is_beside else n_outputs * n_inputs * dtype.itemsize
    return total


def put_linear(model: Transformer, name: str, linear: QuantizedLinear) -> None:
    """Put the module where `name` says; a tied head has no predecessor there."""
    parent, _, leaf = name.rpartition(".")
    setattr(model.get_submodule(parent), leaf, linear)


def _matrix(model: Transformer, name: str) -> torch.Tensor:
    is_tied_head = name == HEAD and model.config.tie_embeddings
    weight_NK = (model.embedding if is_tied_head else model.get_submodule(name)).weight
    assert isinstance(weight_NK, torch.Tensor)
    return weight_NK


def _quantized_bytes(n_outputs: int, n_inputs: int, scheme: QuantizationScheme) -> int:
    if scheme == "int8":
        n_groups = -(-n_inputs // ops.INT8_GROUP)
        return n_outputs * n_groups * (ops.INT8_GROUP + torch.float16.itemsize)
    return n_outputs * (n_inputs + torch.float32.itemsize)
