"""The Llama: embedding, blocks, final norm, output head, loss.

In: token ids, and optionally positions, document segments and a key-value cache. Out: hidden
states, logits, or the summed loss. One code path for every size of Llama 2 and 3; they differ in
`ModelConfig` only.
Never: parallelism, optimizers, precision policy, cache allocation; all are applied from outside.
"""

from typing import NamedTuple

import torch
from torch import nn
from torch.nn import functional
from torch.utils.checkpoint import checkpoint

from herd import ops
from herd.model.attention import Attention, KeyValueCache, PackedCache
from herd.model.config import ModelConfig
from herd.model.feed_forward import FeedForward


class LossSum(NamedTuple):
    """A loss before it is averaged, so that every token weighs the same wherever it was counted."""

    loss_sum_nats: torch.Tensor
    n_tokens: torch.Tensor


class Transformer(nn.Module):
    """A Llama with uninitialised weights (see `init_weights`); build it on any device, also meta.

    Parameter names: `embedding.weight`, `layers.0.attention.q.weight`,
    `layers.0.feed_forward.gate.weight`, `norm.weight`, `output.weight` (absent when tied).
    """

    def __init__(self, config: ModelConfig) -> None:
        super().__init__()
        self.config = config
        # Handed an empty weight: drawing one would, on the meta device, import seconds of compiler.
        empty_VD = torch.empty(config.vocab_size, config.dim)
        self.embedding = nn.Embedding(config.vocab_size, config.dim, _weight=empty_VD)
        self.layers = nn.ModuleList(Block(config, layer) for layer in range(config.n_layers))
        self.norm = RmsNorm(config)
        if not config.tie_embeddings:
            self.output = nn.Linear(config.dim, config.vocab_size, bias=False)

    @property
    def output_weight_VD(self) -> torch.Tensor:
        """The matrix that turns hidden states into logits; the embedding itself when tied.

        Of a quantised head, the matrix that its numbers stand for, computed anew each time.
        """
        if "output" not in self._modules:
            return self.embedding.weight
        head = self.output
        return head.weight if isinstance(head, nn.Linear) else head.dequantized()

    def forward(
        self,
        tokens_BT: torch.Tensor,
        *,
        position_BT: torch.Tensor | None = None,
        segment_BT: torch.Tensor | None = None,
        cache: KeyValueCache | PackedCache | None = None,
    ) -> torch.Tensor:
        """Return float32 logits, shape [B, T, V]; arguments as for `hidden`."""
        hidden_BTD = self.hidden(
            tokens_BT, position_BT=position_BT, segment_BT=segment_BT, cache=cache
        )
        return self.logits(hidden_BTD)

    def logits(self, hidden_BTD: torch.Tensor) -> torch.Tensor:
        """Return the float32 logits of states that `hidden` gave, shape [B, T, V].

        A module called `output` does it where there is one, whatever it is made of; a tied model
        may be given one (quantized, say), and without it uses its embedding.
        """
        if "output" in self._modules:
            return self.output(hidden_BTD).float()  # type: ignore[no-any-return]
        return functional.linear(hidden_BTD, self.embedding.weight).float()

    def loss(
        self,
        tokens_BT: torch.Tensor,
        targets_BT: torch.Tensor,
        *,
        loss_mask_BT: torch.Tensor,
        segment_BT: torch.Tensor | None = None,
        position_BT: torch.Tensor | None = None,
        recompute: bool = False,
        z_loss: float = 0.0,
    ) -> LossSum:
        """Return the masked cross-entropy summed over tokens, without ever holding all logits.

        `z_loss` is the weight of log(Z)^2 in each token's loss (see `ops.cross_entropy_chunked`).
        """
        hidden_BTD = self.hidden(
            tokens_BT, position_BT=position_BT, segment_BT=segment_BT, recompute=recompute
        )
        loss_sum_nats, n_tokens = ops.cross_entropy_chunked(
            hidden_BTD.flatten(0, 1),
            self.output_weight_VD,
            targets_BT.flatten(),
            loss_mask_BT.flatten(),
            z_loss=z_loss,
        )
        return LossSum(loss_sum_nats, n_tokens)

    def hidden(
        self,
        tokens_BT: torch.Tensor,
        *,
        position_BT: torch.Tensor | None = None,
        segment_BT: torch.Tensor | None = None,
        cache: KeyValueCache | PackedCache | None = None,
        recompute: bool = False,
    ) -> torch.Tensor:
        """Return the states after the final norm, shape [B, T, D].

        Positions count from 0 in each row, and from 0 again at each new segment, unless given; with
        a cache they must be given, and segments cannot be. `recompute` keeps only the input of each
        block for the backward pass and runs the block again there (activation checkpointing).
        """
        if cache is not None and (position_BT is None or segment_BT is not None):
            raise ValueError("with a cache, give position_BT and no segment_BT")
        if position_BT is None:
            position_BT = default_positions(tokens_BT, segment_BT)
        rope = self._rope(position_BT)
        documents = ops.documents_of(segment_BT)
        x_BTD = self.embedding(tokens_BT)
        for block in self.layers:
            if recompute:
                x_BTD = checkpoint(block, x_BTD, rope, documents, cache, use_reentrant=False)
            else:
                x_BTD = block(x_BTD, rope, documents, cache)
        return self.norm(x_BTD)  # type: ignore[no-any-return]

    def _rope(self, position_BT: torch.Tensor) -> tuple[torch.Tensor, torch.Tensor]:
        config = self.config
        frequencies = ops.rope_frequencies(
            config.head_dim, config.rope_theta, config.rope_scaling, device=position_BT.device
        )
        return ops.rope_angles(position_BT, frequencies)


class Block(nn.Module):
    """One layer: attention and feed-forward, each normed before and added to the residual."""

    def __init__(self, config: ModelConfig, layer: int) -> None:
        super().__init__()
        self.attention_norm = RmsNorm(config)
        self.attention = Attention(config, layer)
        self.feed_forward_norm = RmsNorm(config)
        self.feed_forward = FeedForward(config)

    def forward(
        self,
        x_BTD: torch.Tensor,
        rope: tuple[torch.Tensor, torch.Tensor],
        documents: ops.Documents | None,
        cache: KeyValueCache | PackedCache | None,
    ) -> torch.Tensor:
        """Return the residual stream after this layer, shape [B, T, D]."""
        x_BTD = x_BTD + self.attention(self.attention_norm(x_BTD), rope, documents, cache)
        return x_BTD + self.feed_forward(self.feed_forward_norm(x_BTD))  # type: ignore[no-any-return]


class RmsNorm(nn.Module):
    """`ops.rms_norm` with its weight."""

    def __init__(self, config: ModelConfig) -> None:
        super().__init__()
        self.weight = nn.Parameter(torch.ones(config.dim))
        self.eps = config.norm_eps

    def forward(self, x_BTD: torch.Tensor) -> torch.Tensor:
        """Return the normed activations, same shape and dtype."""
        return ops.rms_norm(x_BTD, self.weight, self.eps)


def default_positions(
    tokens_BT: torch.Tensor, segment_BT: torch.Tensor | None = None
) -> torch.Tensor:
    """Return the index of each token in its row, or in its segment when segments are given.

    Rows that share their positions are one: shape [1, T] without segments, [B, T] with.
    """
    index_1T = torch.arange(tokens_BT.shape[1], device=tokens_BT.device)[None]
    return index_1T if segment_BT is None else index_1T - ops.segment_starts(segment_BT)
