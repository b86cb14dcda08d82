"""The Llama: config and presets, the network, its initialisation, its size.

In: a config, token ids. Out: hidden states, logits, losses.
Never: parallelism, optimizers, cache allocation.
"""

from herd.model.attention import Attention, KeyValueCache, PackedCache
from herd.model.config import ModelConfig, ffn_width
from herd.model.formats import (
    GgufKind,
    check_vocabulary,
    load_weights,
    read_config,
    save_gguf,
    save_hf,
    save_meta,
)
from herd.model.hub import find_model, pull
from herd.model.init import init_weights
from herd.model.presets import (
    llama2_7b,
    llama2_13b,
    llama2_34b,
    llama2_70b,
    llama3_8b,
    llama3_70b,
    llama31_8b,
    llama31_70b,
    llama31_405b,
    llama32_1b,
    llama32_3b,
)
from herd.model.quantization import (
    Fp8Linear,
    Int8Linear,
    QuantizationScheme,
    quantize_model,
    quantized_linears,
    scheme_of,
    weight_bytes,
)
from herd.model.size import flops_per_token, parameter_count
from herd.model.transformer import Block, LossSum, Transformer
from herd.ops import RopeScaling

__all__ = [
    "Attention",
    "Block",
    "Fp8Linear",
    "GgufKind",
    "Int8Linear",
    "KeyValueCache",
    "LossSum",
    "ModelConfig",
    "PackedCache",
    "QuantizationScheme",
    "RopeScaling",
    "Transformer",
    "check_vocabulary",
    "ffn_width",
    "find_model",
    "flops_per_token",
    "init_weights",
    "llama2_13b",
    "llama2_34b",
    "llama2_70b",
    "llama2_7b",
    "llama31_405b",
    "llama31_70b",
    "llama31_8b",
    "llama32_1b",
    "llama32_3b",
    "llama3_70b",
    "llama3_8b",
    "load_weights",
    "parameter_count",
    "pull",
    "quantize_model",
    "quantized_linears",
    "read_config",
    "save_gguf",
    "save_hf",
    "save_meta",
    "scheme_of",
    "weight_bytes",
]
