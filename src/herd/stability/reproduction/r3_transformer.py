"""A plain pre-norm decoder of which many seeds train side by side, one flat row of weights a seed.

In: weights of shape [seeds, coordinates], tokens of shape [seeds, batch, positions]. Out: logits,
or the mean cross-entropy of each seed, in nats.
Never: a z-loss, a QK-norm, dropout or anything else that would steady the training.
Letters: R seeds (replicas), B batch, T positions, D width, H heads, V vocabulary, P coordinates.
"""

import math
from dataclasses import dataclass

import torch
from torch import Tensor
from torch.nn import functional

from herd.foundation import UserError


@dataclass(frozen=True, kw_only=True, slots=True)
class DecoderShape:
    """Sizes of the decoder; `n_positions` counts inputs, so a sequence holds one token more."""

    n_layers: int = 6
    width: int = 32
    n_heads: int = 4
    n_positions: int = 16
    vocabulary: int = 64

    def __post_init__(self) -> None:
        """Check every field."""
        for name in ("n_layers", "width", "n_heads", "n_positions", "vocabulary"):
            if getattr(self, name) < 1:
                raise UserError(f"decoder: {name} must be at least 1, not {getattr(self, name)}")
        if self.width % self.n_heads:
            raise UserError(
                f"decoder: a width of {self.width} does not divide by {self.n_heads} heads"
            )

    @property
    def tensors(self) -> dict[str, tuple[int, ...]]:
        """Return name -> shape of every weight, in model order; a layer's tensors stand together."""
        D = self.width
        shapes: dict[str, tuple[int, ...]] = {
            "embedding.token": (self.vocabulary, D),
            "embedding.position": (self.n_positions, D),
        }
        for i in range(self.n_layers):
            shapes |= {
                f"layers.{i}.attention_norm": (D,),
                f"layers.{i}.qkv": (D, 3 * D),
                f"layers.{i}.out": (D, D),
                f"layers.{i}.mlp_norm": (D,),
                f"layers.{i}.up": (D, 4 * D),
                f"layers.{i}.down": (4 * D, D),
            }
        return shapes | {"output.norm": (D,), "output.head": (D, self.vocabulary)}

    @property
    def layers(self) -> dict[str, slice]:
        """Return layer -> its columns of the flat weights: embedding, layers.0, ..., output."""
        columns: dict[str, slice] = {}
        start = 0
        for name, shape in self.tensors.items():
            layer, end = name.rpartition(".")[0], start + math.prod(shape)
            columns[layer] = slice(columns[layer].start if layer in columns else start, end)
            start = end
        return columns


def initial_weights(shape: DecoderShape, seeds: list[int]) -> Tensor:
    """Return weights_RP in float32: N(0, 0.02^2) embeddings, N(0, 1/fan_in) matrices, norms at 1.

    The last matrix of each branch is shrunk by sqrt(2 * layers), as GPT-2 does.
    """
    return torch.stack([_one_initial(shape, seed) for seed in seeds])


def _one_initial(shape: DecoderShape, seed: int) -> Tensor:
    generator = torch.Generator().manual_seed(seed)
    pieces = []
    for name, size in shape.tensors.items():
        if name.endswith("norm"):
            pieces.append(torch.ones(size))
            continue
        std = 0.02 if name.startswith("embedding") else size[0] ** -0.5
        if name.endswith(("out", "down")):
            std /= math.sqrt(2 * shape.n_layers)
        pieces.append(std * torch.randn(math.prod(size), generator=generator))
    return torch.cat([piece.flatten() for piece in pieces])


def named_weights(shape: DecoderShape, weights_RP: Tensor) -> dict[str, Tensor]:
    """Return name -> [seeds, *shape], as views; one split, so that the backward is one `cat`."""
    sizes = [math.prod(size) for size in shape.tensors.values()]
    pieces = torch.split(weights_RP, sizes, dim=1)
    return {
        name: piece.view(-1, *size)
        for (name, size), piece in zip(shape.tensors.items(), pieces, strict=True)
    }


def decoder_logits(shape: DecoderShape, weights: dict[str, Tensor], tokens_RBT: Tensor) -> Tensor:
    """Return logits_RBTV of the next token; `weights` as `named_weights` gives them."""
    R, B, T = tokens_RBT.shape
    rows_RN = tokens_RBT.reshape(R, B * T)
    token_RND = weights["embedding.token"].gather(1, rows_RN[..., None].expand(-1, -1, shape.width))
    x_RND = token_RND + weights["embedding.position"][:, :T].repeat(1, B, 1)
    for i in range(shape.n_layers):
        layer = f"layers.{i}."
        h_RND = _rms_norm(x_RND, weights[layer + "attention_norm"])
        mixed_RND = _attention(h_RND @ weights[layer + "qkv"], shape.n_heads, B, T)
        x_RND = x_RND + mixed_RND @ weights[layer + "out"]
        h_RND = _rms_norm(x_RND, weights[layer + "mlp_norm"])
        x_RND = x_RND + functional.relu(h_RND @ weights[layer + "up"]) @ weights[layer + "down"]
    logits_RNV = _rms_norm(x_RND, weights["output.norm"]) @ weights["output.head"]
    return logits_RNV.view(R, B, T, shape.vocabulary)


def decoder_loss(shape: DecoderShape, weights: dict[str, Tensor], sequence_RBS: Tensor) -> Tensor:
    """Return loss_R in nats: the mean over batch and positions, S = positions + 1."""
    logits_RBTV = decoder_logits(shape, weights, sequence_RBS[..., :-1])
    R, B, T, V = logits_RBTV.shape
    losses = functional.cross_entropy(
        logits_RBTV.reshape(-1, V), sequence_RBS[..., 1:].reshape(-1), reduction="none"
    )
    return losses.view(R, B * T).mean(1)


def _rms_norm(x_RND: Tensor, gain_RD: Tensor) -> Tensor:
    return functional.rms_norm(x_RND, (x_RND.shape[-1],), eps=1e-6) * gain_RD[:, None]


def _attention(qkv_RNE: Tensor, n_heads: int, B: int, T: int) -> Tensor:
    R, N, _ = qkv_RNE.shape
    qkv = qkv_RNE.view(R * B, T, 3, n_heads, -1).permute(2, 0, 3, 1, 4)
    out = functional.scaled_dot_product_attention(qkv[0], qkv[1], qkv[2], is_causal=True)
    return out.transpose(1, 2).reshape(R, N, -1)
