"""Hugging Face's `config.json` for Llama, read and written.

In: decoded JSON, or a `ModelConfig`. Out: the other.
Never: a model that Herd would compute differently (biases, other activations, other rotary
scalings, foreign quantisation): those are refused by name.
Spellings: `rope_theta` with `rope_scaling` (transformers 4), `rope_parameters` (transformers 5).
"""

from pathlib import Path
from typing import Any

import torch

from herd.foundation import UserError
from herd.model.config import ModelConfig
from herd.model.formats.fields import Fields, shorten
from herd.model.formats.hf_quantization import read_quantization
from herd.ops import RopeScaling

HF_DEFAULT_THETA = 10_000.0
HF_DEFAULT_CONTEXT = 2048
HF_DEFAULT_EPS = 1e-6


def config_from_hf(values: Any, path: Path) -> ModelConfig:
    """Return the model that a config.json describes; `path` is named in errors."""
    fields = Fields(values, path)
    _refuse_foreign(fields)
    n_heads = fields.integer("num_attention_heads")
    theta, scaling = _rope(fields)
    try:
        return ModelConfig(
            vocab_size=fields.integer("vocab_size"),
            dim=fields.integer("hidden_size"),
            n_layers=fields.integer("num_hidden_layers"),
            n_heads=n_heads,
            n_kv_heads=fields.integer("num_key_value_heads", n_heads),
            ffn_dim=fields.integer("intermediate_size"),
            head_dim=fields.integer("head_dim", 0),
            norm_eps=fields.number("rms_norm_eps", HF_DEFAULT_EPS),
            rope_theta=theta,
            rope_scaling=scaling,
            max_context=fields.integer("max_position_embeddings", HF_DEFAULT_CONTEXT),
            tie_embeddings=fields.flag("tie_word_embeddings", False),
        )
    except UserError as error:
        raise error if str(path) in str(error) else UserError(f"{path}: {error}") from error


def config_to_hf(config: ModelConfig, dtype: torch.dtype) -> dict[str, Any]:
    """Return the config.json of a model whose weights are stored in `dtype`."""
    return {
        "architectures": ["LlamaForCausalLM"],
        "model_type": "llama",
        "attention_bias": False,
        "attention_dropout": 0.0,
        "dtype": str(dtype).removeprefix("torch."),
        "head_dim": config.head_dim,
        "hidden_act": "silu",
        "hidden_size": config.dim,
        "initializer_range": 0.02,
        "intermediate_size": config.ffn_dim,
        "max_position_embeddings": config.max_context,
        "mlp_bias": False,
        "num_attention_heads": config.n_heads,
        "num_hidden_layers": config.n_layers,
        "num_key_value_heads": config.n_kv_heads,
        "pretraining_tp": 1,
        "rms_norm_eps": config.norm_eps,
        "rope_scaling": _rope_scaling_to_hf(config.rope_scaling),
        "rope_theta": config.rope_theta,
        "tie_word_embeddings": config.tie_embeddings,
        "use_cache": True,
        "vocab_size": config.vocab_size,
    }


def _refuse_foreign(fields: Fields) -> None:
    if fields.text("model_type", "llama") != "llama":
        raise fields.refuse("model_type", "is not llama; Herd reads Llama models")
    if fields.text("hidden_act", "silu") != "silu":
        raise fields.refuse("hidden_act", "is not silu, the activation of every Llama")
    for name in ("attention_bias", "mlp_bias"):
        if fields.flag(name, False):
            raise fields.refuse(name, "asks for biases, which no Llama 2 or 3 has")
    read_quantization(fields)


def _rope(fields: Fields) -> tuple[float, RopeScaling | None]:
    parameters = fields.section("rope_parameters")
    scaling = parameters if parameters.has("rope_type") else fields.section("rope_scaling")
    theta = parameters.number("rope_theta", fields.number("rope_theta", HF_DEFAULT_THETA))
    kind = scaling.text("rope_type", scaling.text("type", "default"))
    partial = parameters.number("partial_rotary_factor", 1.0)
    if kind not in ("default", "llama3") or partial != 1.0:
        raise UserError(
            f"{fields.path}: rotary scaling {shorten(kind)} is not read; "
            "Herd knows none ('default') and Llama 3.1's ('llama3')"
        )
    return theta, None if kind == "default" else _rope_scaling_from_hf(scaling)


def _rope_scaling_from_hf(scaling: Fields) -> RopeScaling:
    return RopeScaling(
        factor=scaling.number("factor"),
        low_freq_factor=scaling.number("low_freq_factor"),
        high_freq_factor=scaling.number("high_freq_factor"),
        original_context=scaling.integer("original_max_position_embeddings"),
    )


def _rope_scaling_to_hf(scaling: RopeScaling | None) -> dict[str, Any] | None:
    if scaling is None:
        return None
    return {
        "rope_type": "llama3",
        "factor": scaling.factor,
        "low_freq_factor": scaling.low_freq_factor,
        "high_freq_factor": scaling.high_freq_factor,
        "original_max_position_embeddings": scaling.original_context,
    }
