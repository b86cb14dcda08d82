"""GGUF, llama.cpp's single file: read with its quantised types, written in three.

In: a file, or a model and its tokenizer. Out: the other; what is written runs in llama.cpp.
Never: quantisation schemes of our own; norms in anything but float32 (llama.cpp wants them so).
Queries and keys lie interleaved in the file; `rope_freqs.weight` holds Llama 3.1's scaling.
"""

from __future__ import annotations

import errno
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal

import numpy as np
import torch
from numpy.typing import NDArray

from herd.foundation import GgufContainer, GgufTensor, UserError, atomic_file, read_gguf
from herd.model.config import ModelConfig
from herd.model.formats.gguf_config import config_from_gguf, config_to_gguf, rope_factors
from herd.model.formats.names import GGUF_TO_HERD, gguf_name, to_herd
from herd.model.formats.replaceable import check_replaceable_file
from herd.model.formats.rotary_layout import is_rotated, to_half_split, to_interleaved
from herd.model.formats.stored_model import StoredModel, StoredTensor
from herd.model.formats.vocabulary import check_vocabulary
from herd.model.quantization import check_unquantized
from herd.model.transformer import Transformer
from herd.tokenizer import Tokenizer

if TYPE_CHECKING:
    import gguf  # it opens much else; whoever reads no GGUF should not wait for that

GgufKind = Literal["f32", "f16", "bf16", "q8_0", "q4_0"]
PLAIN_TYPES = {"F32": torch.float32, "F16": torch.float16, "BF16": torch.bfloat16}
BLOCK_TYPES = (
    *("Q8_0", "Q4_0", "Q4_1", "Q5_0", "Q5_1"),
    *("Q2_K", "Q3_K", "Q4_K", "Q5_K", "Q6_K"),
)
ROPE_FACTORS = "rope_freqs.weight"
CHUNK_VALUES = 1 << 20  # dequantised at once; temporaries stay within a few megabytes
FILE_TYPES = {
    "f32": "ALL_F32",
    "f16": "MOSTLY_F16",
    "bf16": "MOSTLY_BF16",
    "q8_0": "MOSTLY_Q8_0",
    "q4_0": "MOSTLY_Q4_0",
}
QUANTISED = ("Q8_0", "Q4_0")
QUANTIZATION_VERSION = 2
QUANTISED_BLOCK = 32
UNUSED_TOKEN, UNUSED_SCORE = 5, -1000.0  # as llama.cpp's converter pads a vocabulary


def open_gguf(path: Path) -> StoredModel:
    """Return the file's config and tensors, the whole header checked, no tensor read."""
    container = read_gguf(path)
    tensors: dict[str, StoredTensor] = {}
    unknown = []
    config = _config(container)
    for entry in container.tensors.values():
        name = to_herd(entry.name, GGUF_TO_HERD)
        if name is not None:
            tensors[name] = _stored_tensor(container, entry, name, config)
        elif entry.name != ROPE_FACTORS:
            unknown.append(f"{path.name}: {entry.name!r}")
    return StoredModel(
        path=path,
        name_there=gguf_name,
        config=config,
        tensors=tensors,
        unknown=tuple(unknown),
    )


def read_gguf_config(path: Path) -> ModelConfig:
    """Return the model that the file's header describes."""
    return _config(read_gguf(path))


def save_gguf(
    model: Transformer,
    path: Path | str,
    *,
    tokenizer: Tokenizer,
    kind: GgufKind,
    name: str = "",
    replace: bool = False,
    advance: Callable[[int], None] | None = None,
) -> None:
    """Write one file with matrices of `kind`, norms in float32, and the vocabulary.

    Under `q8_0` and `q4_0`, a matrix whose rows are no multiple of 32 stays float16. `advance` is told the
    bytes of each tensor as it is done. Raises UserError when the file exists (unless `replace`, which
    takes GGUF files only), the disk is full, a value exceeds float16, the model is quantised already, or the tokenizer
    has more ids than the model.
    """
    import gguf

    path, config = Path(path), model.config
    if path.is_dir():
        raise UserError(f"{path} is a directory; give the name of a .gguf file")
    if path.exists() and not replace:
        raise UserError(f"{path} already exists; choose another name or remove it")
    check_replaceable_file(path)
    check_unquantized(model)
    check_vocabulary(config, tokenizer, path)
    keys = config_to_gguf(config) | _padded(tokenizer.gguf_metadata(), config.vocab_size)
    # The name of a file need not be text; that of a model must.
    keys["general.name"] = (name or path.stem).encode(errors="replace").decode()
    keys["general.file_type"] = int(gguf.LlamaFileType[FILE_TYPES[kind]])
    keys["general.quantization_version"] = QUANTIZATION_VERSION
    with atomic_file(path) as partial:
        writer = gguf.GGUFWriter(partial, "llama")
        try:
            _write(writer, keys, _plan(model, kind), advance)
        finally:
            writer.close()


def _config(container: GgufContainer) -> ModelConfig:
    embedding = container.tensors.get("token_embd.weight")
    if embedding is None or len(embedding.shape) != 2:
        raise UserError(f"{container.path} has no token_embd.weight; it holds no model")
    factors = container.tensors.get(ROPE_FACTORS)
    if factors is not None and factors.type != "F32":
        raise UserError(f"{container.path}: {ROPE_FACTORS} is {factors.type}, not F32")
    return config_from_gguf(
        container.metadata,
        container.path,
        vocab_size=embedding.shape[0],
        tied="output.weight" not in container.tensors,
        rope_factors=None if factors is None else _read_plain(container, factors),
    )


def _stored_tensor(
    container: GgufContainer, entry: GgufTensor, name: str, config: ModelConfig
) -> StoredTensor:
    where = f"{container.path}: {entry.name}"
    is_plain = entry.type in PLAIN_TYPES
    if not is_plain and entry.type not in BLOCK_TYPES:
        known = ", ".join((*PLAIN_TYPES, *BLOCK_TYPES))
        raise UserError(f"{where} has type {entry.type}; Herd reads {known}")

    def read() -> torch.Tensor:
        weight = _read_plain(container, entry) if is_plain else _dequantize(container, entry)
        return to_half_split(weight, config.head_dim) if is_rotated(name) else weight

    dtype = PLAIN_TYPES.get(entry.type, torch.float32)
    return StoredTensor(shape=entry.shape, dtype=dtype, read=read, where=where)


def _read_plain(container: GgufContainer, entry: GgufTensor) -> torch.Tensor:
    raw = torch.from_numpy(container.tensor_bytes(entry.name))
    dtype = PLAIN_TYPES[entry.type]
    if entry.offset % dtype.itemsize:
        raw = raw.clone()  # kernels expect aligned values
    return raw.view(dtype).reshape(entry.shape)


def _dequantize(container: GgufContainer, entry: GgufTensor) -> torch.Tensor:
    """Return float32 values, computed some blocks at a time.

    One long row per call: gguf splits what it is given into groups of 16 rows, which is slow.
    """
    import gguf

    kind = gguf.GGMLQuantizationType[entry.type]
    block, block_bytes = gguf.GGML_QUANT_SIZES[kind]
    blocks = container.tensor_bytes(entry.name).reshape(-1, int(block_bytes))
    values = torch.empty(len(blocks), int(block))
    step = CHUNK_VALUES // int(block)
    with np.errstate(all="ignore"):  # a damaged scale may be infinite; that is its value
        for start in range(0, len(blocks), step):
            row = gguf.quants.dequantize(blocks[start : start + step].reshape(1, -1), kind)
            values[start : start + step] = torch.from_numpy(row).view(-1, int(block))
    return values.reshape(entry.shape)


def _padded(keys: Mapping[str, Any], vocab_size: int) -> dict[str, Any]:
    """llama.cpp counts the tokens to know the embedding's rows, so unused rows need names."""
    tokens = list(keys["tokenizer.ggml.tokens"])
    n_missing = vocab_size - len(tokens)
    padded = {**keys, "tokenizer.ggml.tokens": tokens}
    tokens += [f"[PAD{len(tokens) + index}]" for index in range(n_missing)]
    for name, filler in (("token_type", UNUSED_TOKEN), ("scores", UNUSED_SCORE)):
        if (key := f"tokenizer.ggml.{name}") in keys:
            padded[key] = [*keys[key], *[filler] * n_missing]
    return padded


@dataclass(frozen=True, slots=True)
class _Planned:
    """One tensor to be written: what is stored, and as what."""

    name: str
    weight: torch.Tensor
    kind: str  # one of ggml's types
    head_dim: int  # 0 where rows keep their order

    @property
    def n_bytes(self) -> int:
        import gguf

        block, block_bytes = gguf.GGML_QUANT_SIZES[gguf.GGMLQuantizationType[self.kind]]
        return self.weight.numel() // int(block) * int(block_bytes)


def _plan(model: Transformer, kind: GgufKind) -> list[_Planned]:
    config = model.config
    plan = []
    if (factors := rope_factors(config)) is not None:
        plan.append(_Planned(ROPE_FACTORS, factors, "F32", 0))
    for name, weight in model.state_dict().items():
        head_dim = config.head_dim if is_rotated(name) else 0
        plan.append(_Planned(gguf_name(name), weight, _stored_kind(weight, kind), head_dim))
    return plan


def _stored_kind(weight: torch.Tensor, kind: GgufKind) -> str:
    if weight.dim() == 1:
        return "F32"
    is_quantised = kind.upper() in QUANTISED
    return "F16" if is_quantised and weight.shape[-1] % QUANTISED_BLOCK else kind.upper()


def _write(
    writer: gguf.GGUFWriter,
    keys: Mapping[str, Any],
    plan: list[_Planned],
    advance: Callable[[int], None] | None,
) -> None:
    import gguf

    for key, value in keys.items():
        _add_key(writer, key, value)
    for item in plan:
        shape, kind = list(item.weight.shape), gguf.GGMLQuantizationType[item.kind]
        writer.add_tensor_info(item.name, shape, np.dtype(np.float32), item.n_bytes, kind)
    writer.write_header_to_file()
    writer.write_kv_data_to_file()
    writer.write_ti_data_to_file()
    for item in plan:
        values = _encoded(item)
        try:
            writer.write_tensor_data(values)
        except OSError as error:
            if error.errno is None:  # numpy reports a short write without saying why
                raise OSError(errno.ENOSPC, str(error)) from error
            raise
        if advance is not None:
            advance(item.n_bytes)


def _add_key(writer: gguf.GGUFWriter, key: str, value: Any) -> None:
    if isinstance(value, bool):
        writer.add_bool(key, value)
    elif isinstance(value, int):
        writer.add_uint32(key, value)
    elif isinstance(value, float):
        writer.add_float32(key, value)
    elif isinstance(value, str):
        writer.add_string(key, value)
    else:
        writer.add_array(key, list(value))


def _encoded(item: _Planned) -> NDArray[Any]:
    """Return the stored bytes of one tensor as an array of whatever type holds them."""
    weight = item.weight.detach().cpu()
    if item.head_dim:
        weight = to_interleaved(weight, item.head_dim)
    if item.kind == "BF16":
        return weight.to(torch.bfloat16).contiguous().view(torch.int16).numpy()
    if item.kind == "F16":
        return _to_float16(weight, item.name).numpy()
    if item.kind in QUANTISED:
        return _quantize(weight, item)
    return weight.float().contiguous().numpy()


def _to_float16(weight: torch.Tensor, name: str) -> torch.Tensor:
    halves = weight.to(torch.float16).contiguous()
    if halves.isinf().any() and not weight.isinf().any():
        raise UserError(
            f"{name} has values above {torch.finfo(torch.float16).max:g}, the largest float16; "
            "export as bf16 instead"
        )
    return halves


def _quantize(weight: torch.Tensor, item: _Planned) -> NDArray[np.uint8]:
    """Return blocks of 8-bit or 4-bit values, computed some at a time."""
    if not weight.isfinite().all():
        raise UserError(f"{item.name} is not finite, so it cannot be quantised; export as bf16")
    import gguf

    kind = gguf.GGMLQuantizationType[item.kind]
    values = weight.reshape(-1, QUANTISED_BLOCK)
    blocks = np.empty((len(values), item.n_bytes // len(values)), dtype=np.uint8)
    step = CHUNK_VALUES // QUANTISED_BLOCK
    for start in range(0, len(values), step):
        row = values[start : start + step].float().reshape(1, -1).numpy()
        quantized = gguf.quants.quantize(row, kind)
        blocks[start : start + step] = quantized.reshape(-1, blocks.shape[1])
    return blocks
