"""The Hugging Face directory: config.json, safetensors in one file or many, tokenizer.

In: a directory, or a model. Out: the other; what is written opens in `transformers`.
Never: a shard outside the directory; a directory that is half-written.
"""

from collections.abc import Callable, Iterator, Mapping
from pathlib import Path
from typing import Any

import torch
from safetensors import SafetensorError
from safetensors.torch import save_file

from herd.foundation import UserError, atomic_directory, read_json, write_json
from herd.model.config import ModelConfig
from herd.model.formats.fields import Fields, shorten
from herd.model.formats.hf_config import config_from_hf, config_to_hf
from herd.model.formats.hf_quantization import (
    join_parts,
    quantization_json,
    quantized_part,
    read_quantization,
    stored_state,
    to_hf,
)
from herd.model.formats.names import HF_TO_HERD, hf_name, to_herd
from herd.model.formats.replaceable import check_replaceable
from herd.model.formats.safetensors_file import SafetensorsFile, open_safetensors
from herd.model.formats.stored_model import StoredModel, StoredTensor, drop_tied_output
from herd.model.formats.vocabulary import check_vocabulary
from herd.model.transformer import Transformer
from herd.tokenizer import Tokenizer

CONFIG_NAME = "config.json"
SINGLE_NAME = "model.safetensors"
INDEX_NAME = "model.safetensors.index.json"
GENERATION_NAME = "generation_config.json"
# Buffers that transformers once saved with the weights; both follow from the config.
DERIVED_SUFFIXES = (".rotary_emb.inv_freq", ".attn.masked_bias")
DEFAULT_SHARD_BYTES = 5 * 10**9


def read_hf_config(directory: Path) -> ModelConfig:
    """Return the model that the directory's config.json describes."""
    path = directory / CONFIG_NAME
    return config_from_hf(read_json(path), path)


def open_hf(directory: Path) -> StoredModel:
    """Return the directory's config and tensors, every header checked, no tensor read."""
    config_path = directory / CONFIG_NAME
    values = read_json(config_path)
    config = config_from_hf(values, config_path)
    quantization = read_quantization(Fields(values, config_path))
    tensors: dict[str, StoredTensor] = {}
    parts: dict[str, dict[str, StoredTensor]] = {}
    unknown = []
    for file, name in _stored_names(directory):
        tensor = _stored_tensor(file, name)
        herd_name = to_herd(name, HF_TO_HERD)
        part = None if quantization is None else quantized_part(name, tensor)
        if part is not None:
            module, part_name = part
            parts.setdefault(module, {})[part_name] = tensor
        elif herd_name is not None:
            tensors[herd_name] = tensor
        elif not name.endswith(DERIVED_SUFFIXES):
            unknown.append(f"{file.path.name}: {shorten(name)}")
    if quantization is not None:
        for module, of_module in parts.items():
            name = f"{module}.weight"
            if name in tensors:
                raise UserError(
                    f"{directory}: {hf_name(name)} is there quantised and plain; one of the two "
                    "belongs to another model"
                )
            tensors[name] = join_parts(quantization, module, of_module, directory)
    if config.tie_embeddings:
        drop_tied_output(tensors)
    return StoredModel(
        path=directory,
        name_there=hf_name,
        config=config,
        tensors=tensors,
        unknown=tuple(unknown),
        scheme=None if quantization is None else quantization.scheme,
    )


def save_hf(
    model: Transformer,
    directory: Path | str,
    *,
    tokenizer: Tokenizer | None = None,
    generation: Mapping[str, Any] | None = None,
    max_shard_bytes: int = DEFAULT_SHARD_BYTES,
    replace: bool = False,
    advance: Callable[[int], None] | None = None,
) -> None:
    """Write a directory that `transformers` opens with `AutoModelForCausalLM`.

    A quantised model is written as `fbgemm_fp8` or `compressed-tensors`.
    `generation` becomes generation_config.json; without it, the tokenizer's special ids do.
    `advance` is told the bytes of each file as it is done. Raises UserError when the directory
    exists (unless `replace`), the disk is full, or the tokenizer has more ids than the model.
    """
    directory = Path(directory)
    if tokenizer is not None:
        check_vocabulary(model.config, tokenizer, directory)
    weights = stored_state(model)
    config_json = _config_json(model, tokenizer)
    if replace:
        check_replaceable(directory)
    with atomic_directory(directory, replace=replace) as partial:
        write_json(partial / CONFIG_NAME, config_json)
        if generation is None and tokenizer is not None:
            generation = _special_ids(tokenizer)
        if generation is not None:
            write_json(partial / GENERATION_NAME, dict(generation))
        if tokenizer is not None:
            tokenizer.save(partial)
        _write_weights(weights, partial, max_shard_bytes, advance)


def _stored_names(directory: Path) -> Iterator[tuple[SafetensorsFile, str]]:
    index_path = directory / INDEX_NAME
    if not index_path.exists():
        file = open_safetensors(_single_file(directory))
        yield from ((file, name) for name in file.tensors)
        return
    weight_map = Fields(read_json(index_path), index_path).section("weight_map")
    files = {
        shard: open_safetensors(_shard_path(directory, shard, weight_map))
        for shard in sorted({weight_map.text(name) for name in weight_map.values})
    }
    for name in weight_map.values:
        file = files[weight_map.text(name)]
        if name not in file.tensors:
            raise UserError(
                f"{file.path} lacks {shorten(name)}, which {INDEX_NAME} says is in it; "
                "get both files again"
            )
        yield file, name


def _single_file(directory: Path) -> Path:
    path = directory / SINGLE_NAME
    if path.exists():
        return path
    if any(directory.glob("pytorch_model*.bin")):
        raise UserError(f"{directory} holds weights as pickles (.bin); get its safetensors instead")
    raise UserError(f"{directory} has no {SINGLE_NAME} and no {INDEX_NAME}; get the weights")


def _shard_path(directory: Path, shard: str, weight_map: Fields) -> Path:
    # The index is as untrusted as the shards: a name with a path in it could point anywhere.
    if Path(shard).name != shard or not shard.endswith(".safetensors"):
        raise UserError(f"{weight_map.path}: {shorten(shard)} is not the name of a shard beside it")
    return directory / shard


def _stored_tensor(file: SafetensorsFile, name: str) -> StoredTensor:
    entry = file.tensors[name]
    return StoredTensor(
        shape=entry.shape,
        dtype=entry.dtype,
        read=lambda: file.read(name),
        where=f"{file.path}: {name}",
    )


def _config_json(model: Transformer, tokenizer: Tokenizer | None) -> dict[str, Any]:
    values = config_to_hf(model.config, model.embedding.weight.dtype) | quantization_json(model)
    return values if tokenizer is None else values | _special_ids(tokenizer)


def _special_ids(tokenizer: Tokenizer) -> dict[str, Any]:
    stop_ids = sorted(tokenizer.stop_ids)
    ids = {
        "bos_token_id": tokenizer.bos_id,
        "eos_token_id": stop_ids if len(stop_ids) > 1 else tokenizer.eos_id,
        "pad_token_id": tokenizer.pad_id,
    }
    return {name: value for name, value in ids.items() if value is not None}


def _write_weights(
    weights: Mapping[str, torch.Tensor],
    directory: Path,
    max_shard_bytes: int,
    advance: Callable[[int], None] | None,
) -> None:
    shards = _split(weights, max_shard_bytes)
    weight_map: dict[str, str] = {}
    total_bytes = 0
    for index, names in enumerate(shards, start=1):
        file_name = SINGLE_NAME
        if len(shards) > 1:
            file_name = f"model-{index:05d}-of-{len(shards):05d}.safetensors"
        tensors: dict[str, torch.Tensor] = {}
        for name in names:
            tensors |= to_hf(name, weights[name])
        _save_shard(tensors, directory / file_name)
        weight_map |= dict.fromkeys(tensors, file_name)
        shard_bytes = sum(tensor.nbytes for tensor in tensors.values())
        total_bytes += shard_bytes
        if advance is not None:
            advance(shard_bytes)
    if len(shards) > 1:
        index_values = {"metadata": {"total_size": total_bytes}, "weight_map": weight_map}
        write_json(directory / INDEX_NAME, index_values)


def _split(weights: Mapping[str, torch.Tensor], max_shard_bytes: int) -> list[list[str]]:
    """Fill shards in order; a tensor larger than the limit gets a shard of its own."""
    shards: list[list[str]] = [[]]
    filled_bytes = 0
    for name, weight in weights.items():
        if shards[-1] and filled_bytes + weight.nbytes > max_shard_bytes:
            shards.append([])
            filled_bytes = 0
        shards[-1].append(name)
        filled_bytes += weight.nbytes
    return shards


def _save_shard(tensors: dict[str, torch.Tensor], path: Path) -> None:
    try:
        save_file(tensors, path, metadata={"format": "pt"})
    except SafetensorError as error:  # its own kind of I/O error, without an errno
        raise UserError(f"cannot write {path.name}: {error}; is the disk full?") from error
