"""Open a model in whatever format it lies there.

In: a path. Out: its config, or a `Transformer` with its weights.
Never: a guess between two formats; the order in which they are tried is written here.
"""

from collections.abc import Callable
from pathlib import Path

import torch

from herd.foundation import UserError
from herd.model.config import ModelConfig
from herd.model.formats.gguf import open_gguf, read_gguf_config
from herd.model.formats.hf import CONFIG_NAME, open_hf, read_hf_config
from herd.model.formats.meta import open_meta
from herd.model.formats.meta_params import PARAMS_NAME
from herd.model.formats.stored_model import StoredModel, build_model
from herd.model.quantization import QuantizationScheme
from herd.model.transformer import Transformer


def load_weights(
    path: Path | str,
    *,
    dtype: torch.dtype | None = None,
    device: torch.device | str = "cpu",
    scheme: QuantizationScheme | None = None,
    advance: Callable[[int], None] | None = None,
) -> Transformer:
    """Return the model in a Hugging Face or Meta directory or a .gguf file.

    `dtype` None keeps the file's (GGUF's quantised weights become float32). On the CPU and in the
    file's dtype, weights stay in the mapped file until they are touched. With `scheme`, matrices
    are quantised as `quantize_model` does, each as it is read. `advance` is told the bytes of each
    tensor as it is done. Raises UserError naming file and tensor for anything that lies.
    """
    stored = open_model(Path(path))
    return build_model(stored, dtype=dtype, device=device, scheme=scheme, advance=advance)


def read_config(path: Path | str) -> ModelConfig:
    """Return the model's config without its weights. Raises UserError as `load_weights` does."""
    path = Path(path)
    found = detect_format(path)
    if found == "gguf":
        return read_gguf_config(_gguf_file(path))
    return read_hf_config(path) if found == "hf" else open_meta(path).config


def open_model(path: Path) -> StoredModel:
    """Return config and tensors of the model at `path`, tensors not read yet."""
    found = detect_format(path)
    if found == "gguf":
        return open_gguf(_gguf_file(path))
    return open_hf(path) if found == "hf" else open_meta(path)


def detect_format(path: Path) -> str:
    """Return `hf`, `meta` or `gguf`. Raises UserError saying what was looked for."""
    if path.is_dir():
        if (path / CONFIG_NAME).exists():
            return "hf"
        if (path / PARAMS_NAME).exists():
            return "meta"
        if len(list(path.glob("*.gguf"))) == 1:
            return "gguf"
        raise UserError(
            f"{path} holds no model: no {CONFIG_NAME} (Hugging Face), no {PARAMS_NAME} (Meta), "
            "not exactly one .gguf file"
        )
    if not path.exists():
        raise UserError(
            f"{path}: no such file or directory; give a model's directory or .gguf file"
        )
    if path.suffix in (".safetensors", ".pth", ".json"):
        raise UserError(f"{path} is one file of a model; give the directory that holds it")
    return "gguf"


def _gguf_file(path: Path) -> Path:
    return next(path.glob("*.gguf")) if path.is_dir() else path
