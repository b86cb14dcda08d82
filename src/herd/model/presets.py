"""The published models, number by number.

In: nothing. Out: one `ModelConfig` per model. Sources: "Llama 2" (arXiv 2307.09288) table 1 and
Meta's code; "The Llama 3 Herd of Models" (arXiv 2407.21783) table 3; Meta's list of 3.2 models.
Never: small or experimental shapes; those belong to recipes.
"""

from dataclasses import replace

from herd.model.config import ModelConfig, ffn_width
from herd.ops import RopeScaling

LLAMA2_VOCABULARY = 32_000
LLAMA3_VOCABULARY = 128_256  # 128,000 of the paper plus 256 special tokens

# Llama 3 code, `apply_scaling`; the released 3.2 configurations stretch by 32 instead of 8.
LLAMA31_SCALING = RopeScaling(
    factor=8.0, low_freq_factor=1.0, high_freq_factor=4.0, original_context=8192
)
LLAMA32_SCALING = replace(LLAMA31_SCALING, factor=32.0)
LLAMA31_CONTEXT = 131_072


def llama2_7b() -> ModelConfig:
    """Llama 2 7B: Llama 2 paper, table 1; shape from Meta's defaults."""
    return _llama2(dim=4096, n_layers=32, n_heads=32, n_kv_heads=32, ffn_dim=ffn_width(4096))


def llama2_13b() -> ModelConfig:
    """Llama 2 13B: Llama 2 paper, table 1."""
    return _llama2(dim=5120, n_layers=40, n_heads=40, n_kv_heads=40, ffn_dim=ffn_width(5120))


def llama2_34b() -> ModelConfig:
    """Llama 2 34B: Llama 2 paper, table 1; trained, never released, so its shape is inferred."""
    return _llama2(dim=8192, n_layers=48, n_heads=64, n_kv_heads=8, ffn_dim=ffn_width(8192))


def llama2_70b() -> ModelConfig:
    """Llama 2 70B: Llama 2 paper, table 1; grouped queries (section 2.2.1) widen the rest."""
    ffn_dim = ffn_width(8192, multiplier=1.3, multiple_of=4096)
    return _llama2(dim=8192, n_layers=80, n_heads=64, n_kv_heads=8, ffn_dim=ffn_dim)


def llama3_8b() -> ModelConfig:
    """Llama 3.0 8B (April 2024): Llama 3 paper, table 3; 8K context, rotary embedding unscaled."""
    ffn_dim = ffn_width(4096, multiplier=1.3, multiple_of=1024)
    return _llama3(dim=4096, n_layers=32, n_heads=32, ffn_dim=ffn_dim)


def llama3_70b() -> ModelConfig:
    """Llama 3.0 70B (April 2024): Llama 3 paper, table 3; 8K context, rotary embedding unscaled."""
    ffn_dim = ffn_width(8192, multiplier=1.3, multiple_of=4096)
    return _llama3(dim=8192, n_layers=80, n_heads=64, ffn_dim=ffn_dim)


def llama31_8b() -> ModelConfig:
    """Llama 3.1 8B (July 2024): the shape of 3.0, 128K context with scaled rotary embedding."""
    return _stretch(llama3_8b())


def llama31_70b() -> ModelConfig:
    """Llama 3.1 70B (July 2024): the shape of 3.0, 128K context with scaled rotary embedding."""
    return _stretch(llama3_70b())


def llama31_405b() -> ModelConfig:
    """Llama 3.1 405B: Llama 3 paper, table 3."""
    ffn_dim = ffn_width(16_384, multiplier=1.2, multiple_of=4096)
    return _stretch(_llama3(dim=16_384, n_layers=126, n_heads=128, ffn_dim=ffn_dim))


def llama32_1b() -> ModelConfig:
    """Llama 3.2 1B: Meta's list of models and its published configuration."""
    ffn_dim = ffn_width(2048, multiplier=1.5)
    config = _llama3(dim=2048, n_layers=16, n_heads=32, ffn_dim=ffn_dim)
    return replace(_stretch(config), rope_scaling=LLAMA32_SCALING, tie_embeddings=True)


def llama32_3b() -> ModelConfig:
    """Llama 3.2 3B: Meta's list of models and its published configuration."""
    config = _llama3(dim=3072, n_layers=28, n_heads=24, ffn_dim=ffn_width(3072))
    return replace(_stretch(config), rope_scaling=LLAMA32_SCALING, tie_embeddings=True)


def _llama2(*, dim: int, n_layers: int, n_heads: int, n_kv_heads: int, ffn_dim: int) -> ModelConfig:
    return ModelConfig(
        vocab_size=LLAMA2_VOCABULARY,
        dim=dim,
        n_layers=n_layers,
        n_heads=n_heads,
        n_kv_heads=n_kv_heads,
        ffn_dim=ffn_dim,
        rope_theta=10_000.0,
        max_context=4096,
    )


def _llama3(*, dim: int, n_layers: int, n_heads: int, ffn_dim: int) -> ModelConfig:
    return ModelConfig(
        vocab_size=LLAMA3_VOCABULARY,
        dim=dim,
        n_layers=n_layers,
        n_heads=n_heads,
        n_kv_heads=8,  # at every size of Llama 3
        ffn_dim=ffn_dim,
        rope_theta=500_000.0,
        max_context=8192,
    )


def _stretch(config: ModelConfig) -> ModelConfig:
    return replace(config, rope_scaling=LLAMA31_SCALING, max_context=LLAMA31_CONTEXT)
