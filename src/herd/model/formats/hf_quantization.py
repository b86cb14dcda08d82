"""Quantised weights in Hugging Face's directory: `fbgemm_fp8` and `compressed-tensors`.

In: config.json and the tensors of a directory, or a quantised model. Out: the other.
Never: a file that Herd would compute differently (other groups, rotations, quantised caches): it is
refused by name. Sources: transformers' integrations/fbgemm_fp8.py, and compressed-tensors'
`pack-quantized`: four integers plus 128 in each int32, lowest byte first.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, get_args

import torch

from herd.foundation import UserError
from herd.model.formats.fields import Fields
from herd.model.formats.names import HF_TO_HERD, expected_shapes, hf_name, to_herd
from herd.model.formats.stored_model import WEIGHT_DTYPES, StoredTensor
from herd.model.quantization import (
    HEAD,
    LINEAR_KINDS,
    Fp8Linear,
    Int8Linear,
    QuantizationScheme,
    QuantizedLinear,
    quantized_linears,
    scheme_of,
)
from herd.model.transformer import Transformer
from herd.ops import ACTIVATION_SCALE_UB, INT8_GROUP

QUANTIZATION_KEY = "quantization_config"
# Ours: a tied head that is quantised lies in no tensor; it is made anew from the embedding.
SCHEME_KEY = "herd_quantization"
FBGEMM, COMPRESSED = "fbgemm_fp8", "compressed-tensors"
PACKED_FORMAT = "pack-quantized"
PART_NAMES = ("weight_packed", "weight_scale", "weight_shape")
PER_WORD = 4  # integers in an int32
WEIGHTS_JSON: Mapping[str, Any] = {
    "num_bits": 8,
    "type": "int",
    "symmetric": True,
    "strategy": "group",
    "group_size": INT8_GROUP,
    "dynamic": False,
    "actorder": None,
}
ZERO_BYTE = 0x80  # what 0 is stored as; the other integers follow by flipping their top bit


@dataclass(frozen=True, kw_only=True, slots=True)
class HfQuantization:
    """What config.json says; `scheme` is None when somebody else wrote it."""

    method: str
    scale_ub: float
    scheme: QuantizationScheme | None


def read_quantization(fields: Fields) -> HfQuantization | None:
    """Return what config.json says of quantisation, None for plain weights.

    Raises UserError for anything but row-wise FP8 and 8-bit integers in groups of 32.
    """
    if not fields.has(QUANTIZATION_KEY):
        return None
    section = fields.section(QUANTIZATION_KEY)
    method = section.text("quant_method", "none given")
    if method not in (FBGEMM, COMPRESSED):
        raise section.refuse(
            "quant_method",
            f"in {QUANTIZATION_KEY} is not {FBGEMM} or {COMPRESSED}; get the unquantised weights",
        )
    if method == COMPRESSED:
        _check_compressed(section)
    scale_ub = section.number("activation_scale_ub", ACTIVATION_SCALE_UB)
    if scale_ub <= 0:
        raise section.refuse("activation_scale_ub", "is not above 0, so it leaves no activation")
    return HfQuantization(method=method, scale_ub=scale_ub, scheme=_scheme(fields, method))


def _scheme(fields: Fields, method: str) -> QuantizationScheme | None:
    """Return what Herd wrote down when it quantised the model; None if somebody else did."""
    if not fields.has(SCHEME_KEY):
        return None
    possible = [s for s in get_args(QuantizationScheme) if (s == "int8") == (method == COMPRESSED)]
    scheme: QuantizationScheme = fields.values[SCHEME_KEY]
    if scheme not in possible:
        raise fields.refuse(SCHEME_KEY, f"is not {' or '.join(possible)}, which {method} can hold")
    return scheme


def quantized_part(name: str, tensor: StoredTensor) -> tuple[str, str] | None:
    """Return Herd's module and the part of it that a stored tensor is, None if it is no such part."""
    module_there, _, part = name.rpartition(".")
    herd_name = to_herd(f"{module_there}.weight", HF_TO_HERD)
    is_part = part in PART_NAMES or (part == "weight" and tensor.dtype == torch.float8_e4m3fn)
    if herd_name is None or not is_part:
        return None
    module = herd_name.removesuffix(".weight")
    return (module, part) if module.rpartition(".")[2] in LINEAR_KINDS else None


def join_parts(
    quantization: HfQuantization, module: str, parts: Mapping[str, StoredTensor], path: Path
) -> StoredTensor:
    """Return one matrix out of its parts, which reads dequantised or as a module."""
    values_name = "weight" if quantization.method == FBGEMM else "weight_packed"
    there = hf_name(f"{module}.weight").removesuffix(".weight")
    for part in (values_name, "weight_scale"):
        if part not in parts:
            raise UserError(f"{path}: the weights lack {there}.{part}; get the files again")
    values, scale = parts[values_name], parts["weight_scale"]
    shape = _check_parts(quantization, values, scale)
    if "weight_shape" in parts:
        _check_shape(parts["weight_shape"], shape)

    def linear() -> QuantizedLinear:
        if quantization.method == FBGEMM:
            scale_N1 = _scales(scale).float()
            return Fp8Linear(values.read(), scale_N1, scale_ub=quantization.scale_ub)
        return Int8Linear(_unpack(values.read()), _halves(scale), in_features=shape[1])

    return StoredTensor(
        shape=shape,
        dtype=torch.float32,
        read=lambda: linear().dequantized(),
        where=values.where,
        linear=linear,
    )


def quantization_json(model: Transformer) -> dict[str, Any]:
    """Return what a quantised model adds to config.json; nothing for a plain one.

    Raises UserError when its rows do not fit the format.
    """
    linears = quantized_linears(model)
    if not linears:
        return {}
    kinds = {type(linear) for linear in linears.values()}
    if len(kinds) > 1:
        raise UserError("the model mixes integers and 8-bit floats, which no format holds")
    unquantized = [
        hf_name(name).removesuffix(".weight")
        for name in expected_shapes(model.config)
        if _is_linear(name) and name.removesuffix(".weight") not in linears
    ]
    if model.config.tie_embeddings:
        unquantized.append("lm_head")
    section = _fbgemm_json(linears) if Fp8Linear in kinds else _compressed_json(linears)
    key = "modules_to_not_convert" if Fp8Linear in kinds else "ignore"
    found = {QUANTIZATION_KEY: section | {key: unquantized}}
    scheme = scheme_of(model)
    return found if scheme is None else found | {SCHEME_KEY: scheme}


def stored_state(model: Transformer) -> dict[str, torch.Tensor]:
    """Return the model's tensors without a tied head, which is made anew from the embedding."""
    state: dict[str, torch.Tensor] = model.state_dict()
    if not model.config.tie_embeddings:
        return state
    return {name: tensor for name, tensor in state.items() if not name.startswith(f"{HEAD}.")}


def to_hf(name: str, tensor: torch.Tensor) -> dict[str, torch.Tensor]:
    """Return what Herd's tensor `name` is stored as: by name, in most cases one."""
    module, _, leaf = name.rpartition(".")
    tensor = tensor.detach().cpu().contiguous()
    if leaf == "weight":
        return {hf_name(name): tensor}
    there = hf_name(f"{module}.weight").removesuffix(".weight")
    if leaf == "weight_q_NK":
        shape = torch.tensor(tensor.shape)
        return {f"{there}.weight_packed": _pack(tensor), f"{there}.weight_shape": shape}
    return {f"{there}.weight_scale": tensor}


def _is_linear(name: str) -> bool:
    return name.removesuffix(".weight").rpartition(".")[2] in LINEAR_KINDS


def _fbgemm_json(linears: Mapping[str, QuantizedLinear]) -> dict[str, Any]:
    bounds = {linear.scale_ub for linear in linears.values() if isinstance(linear, Fp8Linear)}
    if len(bounds) > 1 or None in bounds:
        raise UserError(f"{FBGEMM} has one upper bound for all activations; give every layer one")
    return {"quant_method": FBGEMM, "activation_scale_ub": bounds.pop()}


def _compressed_json(linears: Mapping[str, QuantizedLinear]) -> dict[str, Any]:
    for name, linear in linears.items():
        if linear.in_features % INT8_GROUP:
            raise UserError(
                f"{name} has {linear.in_features} inputs, no multiple of {INT8_GROUP}, which "
                f"{COMPRESSED} needs; export unquantised weights"
            )
    group = {
        "format": PACKED_FORMAT,
        "input_activations": None,
        "output_activations": None,
        "targets": ["Linear"],
        "weights": {**WEIGHTS_JSON, "observer": "minmax"},
    }
    return {
        "quant_method": COMPRESSED,
        "format": PACKED_FORMAT,
        "quantization_status": "compressed",
        "config_groups": {"group_0": group},
        "kv_cache_scheme": None,
    }


def _check_compressed(section: Fields) -> None:
    for key in ("kv_cache_scheme", "transform_config", "sparsity_config"):
        if section.values.get(key):
            raise section.refuse(key, "is set; Herd reads 8-bit integers only")
    groups = section.section("config_groups")
    if section.text("format", "none given") != PACKED_FORMAT or len(groups.values) != 1:
        raise section.refuse("format", f"is not {PACKED_FORMAT} with one group of modules")
    group = groups.section(next(iter(groups.values)))
    for key in ("input_activations", "output_activations"):
        if group.has(key):
            raise group.refuse(key, "is set; Herd reads quantised weights only")
    weights = group.section("weights")
    for key, wanted in WEIGHTS_JSON.items():
        default = False if key == "dynamic" else None
        if weights.values.get(key, default) != wanted:
            raise weights.refuse(
                key, f"is not {wanted}; Herd reads symmetric 8-bit integers in groups of 32"
            )


def _check_parts(
    quantization: HfQuantization, values: StoredTensor, scale: StoredTensor
) -> tuple[int, ...]:
    """Return the matrix's shape [N, K]."""
    is_fbgemm = quantization.method == FBGEMM
    wanted = torch.float8_e4m3fn if is_fbgemm else torch.int32
    if values.dtype != wanted or len(values.shape) != 2:
        raise UserError(f"{values.where} is not a matrix of {wanted}; get the files again")
    n_outputs, n_columns = values.shape
    n_inputs = n_columns if is_fbgemm else PER_WORD * n_columns
    n_scales = 1 if is_fbgemm else -(-n_inputs // INT8_GROUP)
    if scale.dtype not in WEIGHT_DTYPES:
        raise UserError(f"{scale.where} has scales in {scale.dtype}; get the files again")
    if scale.shape != (n_outputs, n_scales):
        raise UserError(
            f"{scale.where} has shape {list(scale.shape)} but {[n_outputs, n_scales]} scales "
            "belong to the weights beside it; get the files again"
        )
    if not is_fbgemm and n_inputs % INT8_GROUP:
        raise UserError(f"{values.where} has rows that are no multiple of {INT8_GROUP} integers")
    return (n_outputs, n_inputs)


def _check_shape(stored: StoredTensor, shape: tuple[int, ...]) -> None:
    if stored.shape != (2,) or tuple(stored.read().tolist()) != shape:
        raise UserError(
            f"{stored.where} does not say {list(shape)}, the shape of the integers beside it; "
            "get the files again"
        )


def _scales(scale: StoredTensor) -> torch.Tensor:
    values = scale.read()
    if not (values.isfinite() & (values >= 0)).all():
        raise UserError(f"{scale.where} has scales that are no numbers from 0 up; get it again")
    return values


def _halves(scale: StoredTensor) -> torch.Tensor:
    values = _scales(scale)
    halves = values.to(torch.float16)
    if not torch.equal(halves.to(values.dtype), values):
        raise UserError(f"{scale.where} has scales that float16 does not hold; quantise again")
    return halves


def _pack(q_NK: torch.Tensor) -> torch.Tensor:
    return (q_NK.view(torch.uint8) ^ ZERO_BYTE).view(torch.int32)


def _unpack(packed: torch.Tensor) -> torch.Tensor:
    return (packed.contiguous().view(torch.uint8) ^ ZERO_BYTE).view(torch.int8)
