"""A model as it lies in files: its config, and tensors that are read when asked for.

In: a config and a way to read each tensor, from any format. Out: a `Transformer` on a device.
Never: a second copy of the weights; a parameter that the files did not fill.
"""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from functools import reduce
from pathlib import Path

import torch

from herd.foundation import UserError
from herd.model.config import ModelConfig
from herd.model.formats.names import expected_shapes, layer_of
from herd.model.quantization import (
    HEAD,
    QuantizationScheme,
    QuantizedLinear,
    put_linear,
    quantize_matrix,
    quantized_names,
)
from herd.model.transformer import Transformer

WEIGHT_DTYPES = (torch.float32, torch.bfloat16, torch.float16, torch.float64)
SHOWN_NAMES = 3


@dataclass(frozen=True, kw_only=True, slots=True)
class StoredTensor:
    """One tensor in a file. `dtype` is what `read` returns; `where` is "file: the name there".

    `linear` gives a matrix that is stored quantised as the module that holds it so.
    """

    shape: tuple[int, ...]
    dtype: torch.dtype
    read: Callable[[], torch.Tensor]
    where: str
    linear: Callable[[], QuantizedLinear] | None = None


@dataclass(frozen=True, kw_only=True, slots=True)
class StoredModel:
    """Tensors by Herd's names; `unknown` holds the places of those that no Llama has.

    `name_there` turns Herd's name of a tensor into the files' own, for messages. `scheme` is how
    Herd quantised the model before it wrote it.
    """

    path: Path
    name_there: Callable[[str], str]
    config: ModelConfig
    tensors: Mapping[str, StoredTensor]
    unknown: tuple[str, ...] = ()
    scheme: QuantizationScheme | None = None


def build_model(
    stored: StoredModel,
    *,
    dtype: torch.dtype | None,
    device: torch.device | str,
    scheme: QuantizationScheme | None = None,
    advance: Callable[[int], None] | None = None,
) -> Transformer:
    """Check every tensor against the config, then read them one at a time into a model.

    With `scheme`, each matrix is quantised as it is read, so that the plain model never has to fit
    in memory. `advance` is told the bytes of each tensor as it is done. Raises UserError naming
    file and tensor when one is missing, unexpected, or of another shape than the config says.
    """
    check_tensors(stored)
    scheme = _check_scheme(stored, scheme)
    wanted = frozenset(() if scheme is None else quantized_names(stored.config, scheme))
    dtype = common_dtype(stored) if dtype is None else dtype
    with torch.device("meta"):
        model = Transformer(stored.config)
    weights: dict[str, torch.Tensor] = {}
    for name in expected_shapes(stored.config):
        linear = _quantized(name, stored.tensors[name], scheme, wanted)
        if linear is None:
            weight = stored.tensors[name].read().to(device=device, dtype=dtype).contiguous()
            read = {name: weight}
        else:
            read = _put(model, name.removesuffix(".weight"), linear.to(device))
        weights |= read
        if advance is not None:
            advance(sum(tensor.nbytes for tensor in read.values()))
    if scheme is not None and HEAD in wanted and stored.config.tie_embeddings:
        weights |= _put(model, HEAD, quantize_matrix(weights["embedding.weight"], scheme, HEAD))
    model.load_state_dict(weights, assign=True)
    return model


def check_tensors(stored: StoredModel) -> None:
    """Raise UserError unless the files hold exactly the tensors that the config asks for."""
    if stored.unknown:
        raise UserError(
            f"{_list(stored.unknown)} in {stored.path} is not part of a Llama; Herd reads plain "
            "Llama models, without biases, adapters or foreign quantisation"
        )
    layers = {layer_of(name) for name in stored.tensors} - {None}
    # Before any table of expected names is made: its length is the config's word alone.
    if stored.config.n_layers != len(layers):
        raise UserError(
            f"{stored.path}: the configuration says {stored.config.n_layers} layers but the "
            f"weights hold {len(layers)}; one of the two files belongs to another model"
        )
    shapes = expected_shapes(stored.config)
    missing = [stored.name_there(name) for name in shapes if name not in stored.tensors]
    if missing:
        raise UserError(f"{stored.path}: the weights lack {_list(missing)}; get the files again")
    for name, tensor in stored.tensors.items():
        _check_tensor(name, tensor, shapes)


def common_dtype(stored: StoredModel) -> torch.dtype:
    """Return the narrowest dtype that holds every tensor exactly as it is stored.

    Files of two dtypes are common: GGUF keeps norms in float32 beside float16 matrices, and if
    those norms were float16 once, the model is float16.
    """
    tensors = [tensor for tensor in stored.tensors.values() if tensor.linear is None]
    kinds = {tensor.dtype for tensor in tensors}
    matrix_kinds = {tensor.dtype for tensor in tensors if len(tensor.shape) > 1}
    if len(kinds) == 1:
        return kinds.pop()
    if len(matrix_kinds) == 1:
        (kind,) = matrix_kinds
        if all(_fits(tensor.read(), kind) for tensor in tensors if len(tensor.shape) == 1):
            return kind
    return reduce(torch.promote_types, kinds)


def drop_tied_output(tensors: dict[str, StoredTensor]) -> None:
    """Remove the output matrix that some tied checkpoints hold beside the embedding.

    One that differs stays, so that `check_tensors` refuses it.
    """
    output, embedding = tensors.get("output.weight"), tensors.get("embedding.weight")
    if output is None or embedding is None or output.shape != embedding.shape:
        return
    if torch.equal(output.read(), embedding.read()):
        del tensors["output.weight"]


def _check_scheme(
    stored: StoredModel, asked: QuantizationScheme | None
) -> QuantizationScheme | None:
    is_quantized = any(tensor.linear is not None for tensor in stored.tensors.values())
    if asked is not None and is_quantized and asked != stored.scheme:
        raise UserError(
            f"{stored.path} is quantised already, not as {asked}; start from the original weights"
        )
    if stored.scheme is not None:
        _check_is_whole(stored, stored.scheme)
    return stored.scheme if asked is None else asked


def _check_is_whole(stored: StoredModel, scheme: QuantizationScheme) -> None:
    """Raise UserError unless just those matrices are quantised that the scheme says."""
    found = {name for name, tensor in stored.tensors.items() if tensor.linear is not None}
    wanted = {f"{name}.weight" for name in quantized_names(stored.config, scheme)}
    odd = (found ^ wanted) & stored.tensors.keys()  # a tied head is made anew, hence in no file
    if odd:
        raise UserError(
            f"{stored.path} says it is quantised as {scheme}, but {_list(sorted(odd))} "
            "contradicts that; the configuration belongs to another model"
        )


def _quantized(
    name: str,
    tensor: StoredTensor,
    scheme: QuantizationScheme | None,
    wanted: frozenset[str],
) -> QuantizedLinear | None:
    module = name.removesuffix(".weight")
    if tensor.linear is not None:
        return tensor.linear()
    if scheme is None or module not in wanted:
        return None
    return quantize_matrix(tensor.read(), scheme, module)


def _put(model: Transformer, module: str, linear: QuantizedLinear) -> dict[str, torch.Tensor]:
    put_linear(model, module, linear)
    return {f"{module}.{name}": tensor for name, tensor in linear.state_dict().items()}


def _check_tensor(name: str, tensor: StoredTensor, shapes: Mapping[str, tuple[int, ...]]) -> None:
    if name not in shapes:
        raise UserError(
            f"{tensor.where} is not expected by the configuration (an output matrix beside tied "
            "embeddings, or a layer too many); one of the two files belongs to another model"
        )
    if tensor.shape != shapes[name]:
        raise UserError(
            f"{tensor.where} has shape {list(tensor.shape)} but the configuration asks for "
            f"{list(shapes[name])}; one of the two files belongs to another model"
        )
    if tensor.dtype not in WEIGHT_DTYPES:
        raise UserError(f"{tensor.where} holds {tensor.dtype}; Herd reads floating-point weights")


def _fits(tensor: torch.Tensor, dtype: torch.dtype) -> bool:
    return torch.equal(tensor.to(dtype).to(tensor.dtype), tensor)


def _list(names: list[str] | tuple[str, ...]) -> str:
    shown = ", ".join(names[:SHOWN_NAMES])
    return shown if len(names) <= SHOWN_NAMES else f"{shown} and {len(names) - SHOWN_NAMES} more"
