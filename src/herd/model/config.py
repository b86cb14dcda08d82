"""The dozen numbers that make a Llama.

In: numbers from a table of the papers or a checkpoint's config file. Out: `ModelConfig`.
Never: anything about training, precision or devices.
"""

from dataclasses import dataclass

from herd.foundation import UserError
from herd.ops import RopeScaling


@dataclass(frozen=True, kw_only=True, slots=True)
class ModelConfig:
    """Shape of one model; what `LlamaForCausalLM` means, by Meta's names.

    `head_dim` 0 stands for `dim // n_heads` and is replaced by it, so `dataclasses.replace` keeps
    the old head size when it changes `dim` or `n_heads` alone. `ffn_dim` is the width itself;
    `herd.model.ffn_width` derives it by Meta's rule. Raises UserError naming the bad field.
    """

    vocab_size: int
    dim: int
    n_layers: int
    n_heads: int
    n_kv_heads: int
    ffn_dim: int
    head_dim: int = 0
    norm_eps: float = 1e-5
    rope_theta: float = 500_000.0
    rope_scaling: RopeScaling | None = None
    max_context: int
    tie_embeddings: bool = False

    def __post_init__(self) -> None:
        """Validate, and fill in the head size."""
        for name in ("vocab_size", "dim", "n_layers", "n_heads", "n_kv_heads", "ffn_dim"):
            _require_positive(name, getattr(self, name))
        _require_positive("max_context", self.max_context)
        if self.head_dim == 0:
            if self.dim % self.n_heads:
                raise UserError(
                    f"n_heads is {self.n_heads}, which does not divide dim, {self.dim}; "
                    "change one of them or give head_dim"
                )
            object.__setattr__(self, "head_dim", self.dim // self.n_heads)
        if self.head_dim < 0 or self.head_dim % 2:
            raise UserError(
                f"head_dim is {self.head_dim}; rotary embedding needs an even, positive number"
            )
        if self.n_heads % self.n_kv_heads:
            raise UserError(
                f"n_kv_heads is {self.n_kv_heads}; it must divide n_heads, {self.n_heads}"
            )
        if not 0.0 < self.norm_eps < 1.0:
            raise UserError(f"norm_eps is {self.norm_eps}; it must lie between 0 and 1")
        if not self.rope_theta > 1.0:
            raise UserError(f"rope_theta is {self.rope_theta}; it must be above 1")


def ffn_width(dim: int, *, multiplier: float = 1.0, multiple_of: int = 256) -> int:
    """Return the feed-forward width by the rule of Meta's code (both papers' models obey it).

    Two thirds of 4 * dim, times the multiplier, rounded up to a multiple.
    """
    width = int(2 * 4 * dim / 3)
    width = int(multiplier * width)
    return -(-width // multiple_of) * multiple_of


def _require_positive(name: str, value: int) -> None:
    if value < 1:
        raise UserError(f"{name} is {value}; it must be a positive number")
