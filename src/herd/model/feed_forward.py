"""The feed-forward layer, SwiGLU (Shazeer 2020): down(silu(gate(x)) * up(x)).

In: normed activations. Out: what is added to the residual stream.
Never: biases or dropout; Llama has neither.
"""

import torch
from torch import nn
from torch.nn import functional

from herd.model.config import ModelConfig


class FeedForward(nn.Module):
    """SwiGLU with three matrices; Meta's w1, w3, w2 are `gate`, `up`, `down`."""

    def __init__(self, config: ModelConfig) -> None:
        super().__init__()
        self.gate = nn.Linear(config.dim, config.ffn_dim, bias=False)
        self.up = nn.Linear(config.dim, config.ffn_dim, bias=False)
        self.down = nn.Linear(config.ffn_dim, config.dim, bias=False)

    def forward(self, x_BTD: torch.Tensor) -> torch.Tensor:
        """Return the layer's output, shape [B, T, D]."""
        return self.down(functional.silu(self.gate(x_BTD)) * self.up(x_BTD))  # type: ignore[no-any-return]
