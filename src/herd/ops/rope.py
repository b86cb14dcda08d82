"""Rotary position embedding (Su et al. 2021) with the frequency scaling of Llama 3.1.

In: positions, queries and keys. Out: the rotated ones; the product of a rotated query and key
depends only on the distance between them. Channel i is paired with channel i + C/2 (the
half-split layout of Hugging Face checkpoints, not the adjacent pairs of Meta's).
Never: tables that live longer than a forward pass; a model built on the meta device would
inherit them empty.
"""

import math
from dataclasses import dataclass
from typing import Any

import torch

from herd.foundation import UserError
from herd.ops.precision import sum_dtype


@dataclass(frozen=True, kw_only=True, slots=True)
class RopeScaling:
    """Stretch the slow frequencies so that a longer context looks like `original_context`.

    Wavelengths above `original_context / low_freq_factor` tokens are stretched by `factor`, those
    below `original_context / high_freq_factor` are kept, and those between are blended.
    Factor 8 for Llama 3.1 and 3.3, 32 for 3.2 1B and 3B.
    """

    factor: float
    low_freq_factor: float = 1.0
    high_freq_factor: float = 4.0
    original_context: int = 8192

    def __post_init__(self) -> None:
        """Reject what would divide by zero or turn the blend around."""
        if not self.factor >= 1.0:
            raise UserError(f"rope_scaling.factor is {self.factor}; it must be at least 1")
        if not 0.0 < self.low_freq_factor < self.high_freq_factor:
            raise UserError(
                f"rope_scaling.low_freq_factor is {self.low_freq_factor}; it must be above 0 and "
                f"below high_freq_factor, which is {self.high_freq_factor}"
            )
        if self.original_context < 1:
            raise UserError(
                f"rope_scaling.original_context is {self.original_context}; it must be positive"
            )


def rope_frequencies(
    head_dim: int,
    theta: float,
    scaling: RopeScaling | None = None,
    *,
    device: torch.device | None = None,
) -> torch.Tensor:
    """Return the angles per position, float32 of shape [head_dim / 2], fastest first.

    Float32 from the first step, as Meta's code and `transformers` do: the weights were trained
    with these roundings.
    """
    exponents = torch.arange(0, head_dim, 2, dtype=torch.int64, device=device).float() / head_dim
    frequencies = 1.0 / (theta**exponents)
    return frequencies if scaling is None else _scale(frequencies, scaling)


def rope_angles(
    position_BT: torch.Tensor, frequencies: torch.Tensor
) -> tuple[torch.Tensor, torch.Tensor]:
    """Return (cos, sin) for `apply_rope`, float32 of shape [B, T, 1, C].

    Both halves of the channels turn by the same angles. The sine of the first half is negated, so
    that one product with the swapped halves does both rows of the rotation matrix.
    """
    angle = position_BT[..., None, None].float() * frequencies
    cos, sin = angle.cos(), angle.sin()
    return torch.cat((cos, cos), dim=-1), torch.cat((-sin, sin), dim=-1)


def apply_rope_plain(x_BTHC: torch.Tensor, cos: torch.Tensor, sin: torch.Tensor) -> torch.Tensor:
    """Rotate each pair of channels as one complex number times `cos + i sin`."""
    first, second = x_BTHC.to(sum_dtype(x_BTHC)).chunk(2, dim=-1)
    half = x_BTHC.shape[-1] // 2
    rotated = torch.complex(first, second) * torch.complex(cos[..., half:], sin[..., half:])
    return torch.cat((rotated.real, rotated.imag), dim=-1).to(x_BTHC.dtype)


def apply_rope(x_BTHC: torch.Tensor, cos: torch.Tensor, sin: torch.Tensor) -> torch.Tensor:
    """Do what `apply_rope_plain` does in whole-row passes. In float32, cast back at the end."""
    rotated: torch.Tensor = _Rotate.apply(x_BTHC, cos, sin)  # type: ignore[no-untyped-call]
    return rotated


class _Rotate(torch.autograd.Function):
    """A rotation, whose gradient is rotated back: nothing but the tables is kept."""

    @staticmethod
    def forward(
        ctx: Any, x_BTHC: torch.Tensor, cos: torch.Tensor, sin: torch.Tensor
    ) -> torch.Tensor:
        ctx.save_for_backward(cos, sin)
        return _rotate(x_BTHC, cos, sin, 1.0)

    @staticmethod
    @torch.autograd.function.once_differentiable
    def backward(ctx: Any, grad_BTHC: torch.Tensor) -> tuple[torch.Tensor | None, ...]:
        cos, sin = ctx.saved_tensors
        return _rotate(grad_BTHC, cos, sin, -1.0), None, None


def _rotate(
    x_BTHC: torch.Tensor, cos: torch.Tensor, sin: torch.Tensor, direction: float
) -> torch.Tensor:
    half = x_BTHC.shape[-1] // 2
    x32 = x_BTHC.to(sum_dtype(x_BTHC))
    swapped = torch.cat((x32[..., half:], x32[..., :half]), dim=-1)
    # Neither in place nor an idle .to(): torch 2.11 compiles an output that is an alias wrongly.
    out_BTHC = torch.addcmul(x32 * cos, swapped, sin, value=direction)
    return out_BTHC if out_BTHC.dtype == x_BTHC.dtype else out_BTHC.to(x_BTHC.dtype)


def _scale(frequencies: torch.Tensor, scaling: RopeScaling) -> torch.Tensor:
    """Do what `apply_scaling` of Meta's `llama-models` does, without its loop."""
    wavelength_tokens = 2 * math.pi / frequencies
    span = scaling.high_freq_factor - scaling.low_freq_factor
    turns = scaling.original_context / wavelength_tokens
    kept = ((turns - scaling.low_freq_factor) / span).clamp(0.0, 1.0)
    return (1.0 - kept) * frequencies / scaling.factor + kept * frequencies
