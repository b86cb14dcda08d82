"""The `llama.*` keys of GGUF metadata, read and written.

In: metadata (and the tensor `rope_freqs.weight`), or a `ModelConfig`. Out: the other.
Never: tokenizer keys; a model that Herd would compute differently, which is refused by name.
GGUF holds Llama 3.1's rotary scaling only as its effect, one factor per frequency; the rule's four
numbers come back by trying it. Files that Herd writes keep them under `herd.rope.*` too.
"""

import dataclasses
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np
import torch

from herd.foundation import UserError
from herd.model.config import ModelConfig
from herd.model.formats.fields import Fields
from herd.ops import RopeScaling, rope_frequencies

DEFAULT_THETA = 10_000.0  # llama.cpp's, when the key is absent
FACTOR_TOLERANCE = 1e-4  # files hold the factors in float32, computed in any order
LLAMA31_CONTEXT = 8192


def config_from_gguf(
    metadata: Mapping[str, Any],
    path: Path,
    *,
    vocab_size: int,
    tied: bool,
    rope_factors: torch.Tensor | None,
) -> ModelConfig:
    """Return the model that the metadata describes; the arguments are what only tensors tell."""
    fields = Fields(metadata, path)
    _refuse_foreign(fields)
    n_heads = fields.integer("llama.attention.head_count")
    head_dim = fields.integer("llama.attention.key_length", 0)
    theta = _shortest(fields.number("llama.rope.freq_base", DEFAULT_THETA))
    try:
        config = ModelConfig(
            vocab_size=vocab_size,
            dim=fields.integer("llama.embedding_length"),
            n_layers=fields.integer("llama.block_count"),
            n_heads=n_heads,
            n_kv_heads=fields.integer("llama.attention.head_count_kv", n_heads),
            ffn_dim=fields.integer("llama.feed_forward_length"),
            head_dim=head_dim,
            norm_eps=_shortest(fields.number("llama.attention.layer_norm_rms_epsilon")),
            rope_theta=theta,
            rope_scaling=None,
            max_context=fields.integer("llama.context_length"),
            tie_embeddings=tied,
        )
    except UserError as error:
        raise error if str(path) in str(error) else UserError(f"{path}: {error}") from error
    _check_head_dim(fields, config.head_dim)
    if rope_factors is None:
        return config
    return _with_scaling(config, _scaling(fields, config, rope_factors))


def config_to_gguf(config: ModelConfig) -> dict[str, Any]:
    """Return the `llama.*` keys, and `herd.rope.*` where the rotary embedding is scaled."""
    keys: dict[str, Any] = {
        "llama.block_count": config.n_layers,
        "llama.context_length": config.max_context,
        "llama.embedding_length": config.dim,
        "llama.feed_forward_length": config.ffn_dim,
        "llama.attention.head_count": config.n_heads,
        "llama.attention.head_count_kv": config.n_kv_heads,
        "llama.attention.key_length": config.head_dim,
        "llama.attention.value_length": config.head_dim,
        "llama.attention.layer_norm_rms_epsilon": float(config.norm_eps),
        "llama.rope.dimension_count": config.head_dim,
        "llama.rope.freq_base": float(config.rope_theta),
        "llama.vocab_size": config.vocab_size,
    }
    if config.rope_scaling is not None:
        keys |= {
            "herd.rope.factor": float(config.rope_scaling.factor),
            "herd.rope.low_freq_factor": float(config.rope_scaling.low_freq_factor),
            "herd.rope.high_freq_factor": float(config.rope_scaling.high_freq_factor),
            "herd.rope.original_context": config.rope_scaling.original_context,
        }
    return keys


def rope_factors(config: ModelConfig) -> torch.Tensor | None:
    """Return what each frequency is divided by, float32 [head_dim / 2]; None without scaling."""
    if config.rope_scaling is None:
        return None
    plain = rope_frequencies(config.head_dim, config.rope_theta)
    return plain / rope_frequencies(config.head_dim, config.rope_theta, config.rope_scaling)


def _refuse_foreign(fields: Fields) -> None:
    if fields.text("general.architecture") != "llama":
        raise fields.refuse("general.architecture", "is not llama; Herd reads Llama models")
    if fields.integer("llama.expert_count", 0) > 0:
        raise fields.refuse(
            "llama.expert_count", "asks for a mixture of experts, not a Llama 2 or 3"
        )
    if fields.text("llama.rope.scaling.type", "none") != "none":
        raise fields.refuse(
            "llama.rope.scaling.type", "is a rotary scaling that Herd does not know"
        )
    if fields.integer("split.count", 1) > 1:
        raise fields.refuse("split.count", "says the model is in parts; merge them first")


def _check_head_dim(fields: Fields, head_dim: int) -> None:
    for name in ("llama.rope.dimension_count", "llama.attention.value_length"):
        if fields.integer(name, head_dim) != head_dim:
            raise fields.refuse(name, f"is not the {head_dim} channels of a head")


def _scaling(fields: Fields, config: ModelConfig, stored: torch.Tensor) -> RopeScaling | None:
    """Return the rule whose factors are those in the file; UserError when none is."""
    finite = bool(torch.isfinite(stored).all()) and float(stored.min()) >= 1.0
    if stored.shape == (config.head_dim // 2,) and finite:
        tried = RopeScaling(
            factor=_shortest(fields.number("herd.rope.factor", float(stored.max()))),
            low_freq_factor=_shortest(fields.number("herd.rope.low_freq_factor", 1.0)),
            high_freq_factor=_shortest(fields.number("herd.rope.high_freq_factor", 4.0)),
            original_context=fields.integer("herd.rope.original_context", LLAMA31_CONTEXT),
        )
        expected = rope_factors(_with_scaling(config, tried))
        if expected is not None and torch.allclose(stored, expected, rtol=FACTOR_TOLERANCE):
            return tried
    raise UserError(
        f"{fields.path}: rope_freqs.weight does not follow Llama 3.1's rule of rotary scaling "
        f"(low 1, high 4, {LLAMA31_CONTEXT} tokens); Herd cannot express it"
    )


def _with_scaling(config: ModelConfig, scaling: RopeScaling | None) -> ModelConfig:
    return dataclasses.replace(config, rope_scaling=scaling)


def _shortest(number: float) -> float:
    """Undo float32's detour: 1e-5 is stored as 9.99999974738e-06 and meant as 1e-5."""
    return float(str(np.float32(number)))
