"""From logits to the next token.

In: logits of one or more rows, temperature, top-p, top-k. Out: token ids and their log-probabilities.
Never: a global random state; each sampler draws from a generator of its own, so a seed replays.
"""

from __future__ import annotations

import math

import torch

from herd.foundation import UserError
from herd.inference.sampling_config import SamplingConfig


class Sampler:
    """Draws tokens; the same seed on the same logits draws the same tokens."""

    def __init__(self, config: SamplingConfig, *, seed: int | None = None) -> None:
        self.config = config
        if seed is not None and not -(2**63) <= seed < 2**63:
            raise UserError(f"seed is {seed}: give one that fits 64 bits")
        # On the CPU wherever the model is, so that a seed means the same on every device.
        self._generator = torch.Generator(device="cpu")
        if seed is None:
            self._generator.seed()
        else:
            self._generator.manual_seed(seed)

    def sample(self, logits_BV: torch.Tensor) -> tuple[torch.Tensor, torch.Tensor]:
        """Return the drawn ids and their log-probabilities under the unchanged logits, both [B].

        Log-probabilities are natural, at temperature 1 and without truncation: what training sees.
        """
        logits_BV = logits_BV.float()
        logprobs_BV = logits_BV.log_softmax(-1)
        if logprobs_BV.isnan().any():
            raise UserError(
                "the model's logits are not numbers (NaN): its weights are damaged, or its training "
                "went wrong; get the files again or take an earlier checkpoint"
            )
        if self.config.temperature == 0.0:
            ids_B = logits_BV.argmax(-1)
        else:
            ids_B = self._draw(next_token_probabilities(logits_BV, self.config))
        return ids_B, logprobs_BV.gather(-1, ids_B[:, None])[:, 0]

    def _draw(self, probabilities_BV: torch.Tensor) -> torch.Tensor:
        drawn_B1 = torch.multinomial(probabilities_BV.cpu(), 1, generator=self._generator)
        return drawn_B1[:, 0].to(probabilities_BV.device)


def next_token_probabilities(logits_BV: torch.Tensor, config: SamplingConfig) -> torch.Tensor:
    """Return what the next token is drawn from, [B, V]; rows sum to 1. Needs temperature > 0.

    Top-k first, then top-p on what remains, renormalised, as in other software.
    """
    # Shifted before dividing: a tiny temperature then gives -inf at worst, never +inf.
    peak_B1 = logits_BV.amax(-1, keepdim=True)
    scaled_BV = (logits_BV - peak_B1) / config.temperature
    if 0 < config.top_k < scaled_BV.shape[-1]:
        scaled_BV = _keep_top_k(scaled_BV, config.top_k)
    probabilities_BV = scaled_BV.softmax(-1)
    return _keep_top_p(probabilities_BV, config.top_p) if config.top_p < 1.0 else probabilities_BV


def _keep_top_k(logits_BV: torch.Tensor, k: int) -> torch.Tensor:
    kept_BK, index_BK = logits_BV.topk(k, dim=-1)
    return torch.full_like(logits_BV, -math.inf).scatter(-1, index_BK, kept_BK)


def _keep_top_p(probabilities_BV: torch.Tensor, top_p: float) -> torch.Tensor:
    """Drop token i where the mass before it exceeds top_p (Meta's rule: cumulative - p_i > p)."""
    sorted_BV, index_BV = probabilities_BV.sort(dim=-1, descending=True, stable=True)
    before_BV = sorted_BV.cumsum(-1) - sorted_BV
    kept_BV = sorted_BV.masked_fill(before_BV > top_p, 0.0)
    kept_BV /= kept_BV.sum(-1, keepdim=True)
    return torch.zeros_like(probabilities_BV).scatter(-1, index_BV, kept_BV)
