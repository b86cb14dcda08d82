"""What the same tensor is called in Herd, in Hugging Face's files, in Meta's and in GGUF.

In: a format's name of a tensor. Out: Herd's name, and the shape a config gives it.
Never: tensor data.
"""

import re
from collections.abc import Mapping

from herd.model.config import ModelConfig

# Herd's name -> (Hugging Face, Meta, GGUF); {i} is the layer.
TABLE: Mapping[str, tuple[str, str, str]] = {
    "embedding.weight": (
        "model.embed_tokens.weight",
        "tok_embeddings.weight",
        "token_embd.weight",
    ),
    "layers.{i}.attention_norm.weight": (
        "model.layers.{i}.input_layernorm.weight",
        "layers.{i}.attention_norm.weight",
        "blk.{i}.attn_norm.weight",
    ),
    "layers.{i}.attention.q.weight": (
        "model.layers.{i}.self_attn.q_proj.weight",
        "layers.{i}.attention.wq.weight",
        "blk.{i}.attn_q.weight",
    ),
    "layers.{i}.attention.k.weight": (
        "model.layers.{i}.self_attn.k_proj.weight",
        "layers.{i}.attention.wk.weight",
        "blk.{i}.attn_k.weight",
    ),
    "layers.{i}.attention.v.weight": (
        "model.layers.{i}.self_attn.v_proj.weight",
        "layers.{i}.attention.wv.weight",
        "blk.{i}.attn_v.weight",
    ),
    "layers.{i}.attention.o.weight": (
        "model.layers.{i}.self_attn.o_proj.weight",
        "layers.{i}.attention.wo.weight",
        "blk.{i}.attn_output.weight",
    ),
    "layers.{i}.feed_forward_norm.weight": (
        "model.layers.{i}.post_attention_layernorm.weight",
        "layers.{i}.ffn_norm.weight",
        "blk.{i}.ffn_norm.weight",
    ),
    "layers.{i}.feed_forward.gate.weight": (
        "model.layers.{i}.mlp.gate_proj.weight",
        "layers.{i}.feed_forward.w1.weight",
        "blk.{i}.ffn_gate.weight",
    ),
    "layers.{i}.feed_forward.up.weight": (
        "model.layers.{i}.mlp.up_proj.weight",
        "layers.{i}.feed_forward.w3.weight",
        "blk.{i}.ffn_up.weight",
    ),
    "layers.{i}.feed_forward.down.weight": (
        "model.layers.{i}.mlp.down_proj.weight",
        "layers.{i}.feed_forward.w2.weight",
        "blk.{i}.ffn_down.weight",
    ),
    "norm.weight": ("model.norm.weight", "norm.weight", "output_norm.weight"),
    "output.weight": ("lm_head.weight", "output.weight", "output.weight"),
}
HF_TO_HERD = {names[0]: herd for herd, names in TABLE.items()}
META_TO_HERD = {names[1]: herd for herd, names in TABLE.items()}
GGUF_TO_HERD = {names[2]: herd for herd, names in TABLE.items()}

LAYER = re.compile(r"(?<=\.)(0|[1-9][0-9]{0,3})(?=\.)")


def to_herd(name: str, table: Mapping[str, str]) -> str | None:
    """Return Herd's name of a tensor, or None when `table` does not know it."""
    layer = LAYER.search(name)
    if layer is None:
        return None if "{" in name else table.get(name)
    pattern = table.get(f"{name[: layer.start()]}{{i}}{name[layer.end() :]}")
    return None if pattern is None else pattern.replace("{i}", layer[0])


def hf_name(name: str) -> str:
    """Return what Hugging Face's Llama calls Herd's tensor `name`."""
    return _from_herd(name, 0)


def meta_name(name: str) -> str:
    """Return what Meta's checkpoints call it."""
    return _from_herd(name, 1)


def gguf_name(name: str) -> str:
    """Return what GGUF files call it."""
    return _from_herd(name, 2)


def expected_shapes(config: ModelConfig) -> dict[str, tuple[int, ...]]:
    """Return every parameter's shape, in the model's own order, without building the model."""
    width, kv_width = config.n_heads * config.head_dim, config.n_kv_heads * config.head_dim
    one_layer = {
        "attention_norm.weight": (config.dim,),
        "attention.q.weight": (width, config.dim),
        "attention.k.weight": (kv_width, config.dim),
        "attention.v.weight": (kv_width, config.dim),
        "attention.o.weight": (config.dim, width),
        "feed_forward_norm.weight": (config.dim,),
        "feed_forward.gate.weight": (config.ffn_dim, config.dim),
        "feed_forward.up.weight": (config.ffn_dim, config.dim),
        "feed_forward.down.weight": (config.dim, config.ffn_dim),
    }
    shapes: dict[str, tuple[int, ...]] = {"embedding.weight": (config.vocab_size, config.dim)}
    for layer in range(config.n_layers):
        shapes |= {f"layers.{layer}.{name}": shape for name, shape in one_layer.items()}
    shapes["norm.weight"] = (config.dim,)
    if not config.tie_embeddings:
        shapes["output.weight"] = (config.vocab_size, config.dim)
    return shapes


def layer_of(name: str) -> int | None:
    """Return the layer that Herd's tensor `name` belongs to, None for the three outside."""
    layer = LAYER.search(name)
    return None if layer is None else int(layer[0])


def _from_herd(name: str, column: int) -> str:
    layer = LAYER.search(name)
    if layer is None:
        return TABLE[name][column]
    pattern = f"{name[: layer.start()]}{{i}}{name[layer.end() :]}"
    return TABLE[pattern][column].replace("{i}", layer[0])
