"""Meta's `params.json`, read and written.

In: decoded JSON and what the shards' shapes tell, or a `ModelConfig`. Out: the other.
Never: an approximation; a config that Meta's fields cannot express is refused.
Meta's file lacks the vocabulary (-1 in Llama 2), the context, the factor of the rotary scaling and
tied embeddings. The first comes from the weights, the others from the release notes (Llama 3
sheet, section 2.2); directories that Herd writes hold them in `herd.json` beside.
"""

from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

from herd.foundation import UserError, from_dict, read_json, to_dict
from herd.model.config import ModelConfig, ffn_width
from herd.model.formats.fields import Fields
from herd.ops import RopeScaling

PARAMS_NAME = "params.json"
SIDE_NAME = "herd.json"
LLAMA2_THETA = 10_000.0  # what Meta's code assumes when the field is absent
LLAMA2_CONTEXT, LLAMA3_CONTEXT, LLAMA31_CONTEXT = 4096, 8192, 131_072
LLAMA31_FACTOR, LLAMA32_FACTOR = 8.0, 32.0
LLAMA32_WIDTHS = (2048, 3072)  # 1B and 3B, the two models stretched by 32
DEFAULT_MULTIPLE_OF = 256


def stated_heads(directory: Path) -> tuple[int, int]:
    """Return (channels per head, key-value heads) as params.json has them."""
    fields = _fields(directory)
    dim, n_heads = fields.integer("dim"), fields.integer("n_heads")
    n_kv_heads = fields.integer("n_kv_heads", n_heads)
    if n_heads < 1 or n_kv_heads < 1 or dim < n_heads or dim % n_heads:
        raise fields.refuse("n_heads", f"and n_kv_heads do not divide dim, {dim}")
    return dim // n_heads, n_kv_heads


def config_from_meta(
    directory: Path, *, vocab_size: int, n_kv_heads: int, looks_tied: Callable[[], bool]
) -> ModelConfig:
    """Return the model that params.json describes.

    The weights tell the rest: `vocab_size` is the number of embedding rows, `n_kv_heads` the
    number of different key-value heads, `looks_tied` whether the output is the embedding.
    """
    config = _from_params(_fields(directory), vocab_size, n_kv_heads)
    side_path = directory / SIDE_NAME
    if not side_path.exists():
        return replace(config, tie_embeddings=looks_tied())
    side = from_dict(ModelConfig, read_json(side_path), where=str(side_path))
    if _shape(side) != _shape(config):
        raise UserError(f"{side_path} and {PARAMS_NAME} describe different models; remove one")
    return side


def config_to_meta(config: ModelConfig, n_shards: int) -> tuple[dict[str, Any], dict[str, Any]]:
    """Return (params.json, herd.json) for a config. Raises UserError where Meta has no words."""
    if config.head_dim * config.n_heads != config.dim:
        raise UserError(
            f"head_dim is {config.head_dim}; Meta's format knows only dim / n_heads, "
            f"{config.dim / config.n_heads:g}; export to Hugging Face or GGUF instead"
        )
    params: dict[str, Any] = {
        "dim": config.dim,
        "n_layers": config.n_layers,
        "n_heads": config.n_heads,
        # Meta's code divides this by the number of shards, so repeated heads count.
        "n_kv_heads": max(config.n_kv_heads, n_shards),
        "vocab_size": config.vocab_size,
        "norm_eps": config.norm_eps,
        "rope_theta": config.rope_theta,
    }
    params |= _ffn_fields(config)
    if config.rope_scaling is not None:
        params["use_scaled_rope"] = True
    return params, to_dict(config)


def _fields(directory: Path) -> Fields:
    path = directory / PARAMS_NAME
    return Fields(read_json(path), path)


def _from_params(fields: Fields, vocab_size: int, n_kv_heads: int) -> ModelConfig:
    dim = fields.integer("dim")
    stated_vocabulary = fields.integer("vocab_size", -1)
    if stated_vocabulary not in (-1, vocab_size):
        raise fields.refuse("vocab_size", f"does not fit the {vocab_size:,} rows (a shard lost?)")
    multiple_of = fields.integer("multiple_of", DEFAULT_MULTIPLE_OF)
    multiplier = fields.number("ffn_dim_multiplier", 1.0)
    if multiple_of < 1 or not 0.0 < multiplier < 1e3 or dim < 1:
        raise UserError(f"{fields.path}: dim, multiple_of or ffn_dim_multiplier is not positive")
    scaled = fields.flag("use_scaled_rope", False)
    theta = fields.number("rope_theta", LLAMA2_THETA)
    try:
        return ModelConfig(
            vocab_size=vocab_size,
            dim=dim,
            n_layers=fields.integer("n_layers"),
            n_heads=fields.integer("n_heads"),
            n_kv_heads=n_kv_heads,
            ffn_dim=ffn_width(dim, multiplier=multiplier, multiple_of=multiple_of),
            norm_eps=fields.number("norm_eps", 1e-5),
            rope_theta=theta,
            rope_scaling=RopeScaling(factor=_scaling_factor(dim)) if scaled else None,
            max_context=_context(theta, scaled),
        )
    except UserError as error:
        raise error if str(fields.path) in str(error) else _named(fields.path, error) from error


def _scaling_factor(dim: int) -> float:
    return LLAMA32_FACTOR if dim in LLAMA32_WIDTHS else LLAMA31_FACTOR


def _context(theta: float, scaled: bool) -> int:
    if scaled:
        return LLAMA31_CONTEXT
    return LLAMA2_CONTEXT if theta == LLAMA2_THETA else LLAMA3_CONTEXT


def _named(path: Path, error: UserError) -> UserError:
    return UserError(f"{path}: {error}")


def _shape(config: ModelConfig) -> tuple[int, ...]:
    return (
        config.vocab_size,
        config.dim,
        config.n_layers,
        config.n_heads,
        config.n_kv_heads,
        config.ffn_dim,
    )


def _ffn_fields(config: ModelConfig) -> dict[str, Any]:
    """Return multiple_of and a multiplier from which Meta's rule makes exactly `ffn_dim`."""
    multiple_of = _largest_power_of_two(config.ffn_dim, DEFAULT_MULTIPLE_OF)
    if ffn_width(config.dim, multiple_of=multiple_of) == config.ffn_dim:
        return {"multiple_of": multiple_of}
    # The middle of the widths that round up to ffn_dim; half a unit keeps int() on our side.
    target = config.ffn_dim - multiple_of // 2 + 0.5
    multiplier = target / int(2 * 4 * config.dim / 3)
    assert ffn_width(config.dim, multiplier=multiplier, multiple_of=multiple_of) == config.ffn_dim
    return {"multiple_of": multiple_of, "ffn_dim_multiplier": multiplier}


def _largest_power_of_two(number: int, limit: int) -> int:
    return min(number & -number, limit)
