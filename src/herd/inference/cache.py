"""The keys and values of tokens already read, so that each new token costs one step.

In: per layer, the keys and values of T new tokens. Out: those of all S tokens so far.
Never: paging or sharing between requests, and no mathematics; keys arrive rotated.
"""

from __future__ import annotations

import torch

from herd.model import ModelConfig

FIRST_CAPACITY = 256  # tokens; doubled whenever it is full, so that a short chat costs little


class GrowingCache:
    """A `KeyValueCache` that starts small and doubles up to the model's context.

    Amortised, each token is copied about once more than in a cache of full size, and memory never
    exceeds twice what is used. Layout per layer is [B, K, S, C], as attention reads it.
    """

    def __init__(self, config: ModelConfig, batch_size: int = 1) -> None:
        self.max_tokens = config.max_context
        self._batch_size = batch_size
        self._lengths = [0] * config.n_layers
        self._keys_BKSC: list[torch.Tensor | None] = [None] * config.n_layers
        self._values_BKSC: list[torch.Tensor | None] = [None] * config.n_layers

    @property
    def n_tokens(self) -> int:
        """Return how many tokens every layer holds."""
        return min(self._lengths)

    def update(
        self, layer: int, k_BTKC: torch.Tensor, v_BTKC: torch.Tensor
    ) -> tuple[torch.Tensor, torch.Tensor]:
        """Append T tokens to `layer`; return views of all S of them, `k_BSKC, v_BSKC`."""
        start = self._lengths[layer]
        stop = start + k_BTKC.shape[1]
        if stop > self.max_tokens:
            raise ValueError(f"{stop} tokens do not fit a context of {self.max_tokens}")
        if k_BTKC.shape[0] != self._batch_size:
            raise ValueError(f"a cache of {self._batch_size} rows got {k_BTKC.shape[0]}")
        self._lengths[layer] = stop
        return (
            self._append(self._keys_BKSC, layer, k_BTKC, start, stop),
            self._append(self._values_BKSC, layer, v_BTKC, start, stop),
        )

    def truncate(self, n_tokens: int) -> None:
        """Forget all but the first `n_tokens`."""
        if not 0 <= n_tokens <= self.n_tokens:
            raise ValueError(f"cannot keep {n_tokens} of {self.n_tokens} tokens")
        self._lengths = [n_tokens] * len(self._lengths)

    def _append(
        self,
        store: list[torch.Tensor | None],
        layer: int,
        new_BTKC: torch.Tensor,
        start: int,
        stop: int,
    ) -> torch.Tensor:
        held_BKSC = store[layer]
        if held_BKSC is None or stop > held_BKSC.shape[2]:
            held_BKSC = store[layer] = self._grow(held_BKSC, new_BTKC, start, stop)
        held_BKSC[:, :, start:stop] = new_BTKC.transpose(1, 2)
        return held_BKSC[:, :, :stop].transpose(1, 2)

    def _grow(
        self, held_BKSC: torch.Tensor | None, new_BTKC: torch.Tensor, start: int, stop: int
    ) -> torch.Tensor:
        capacity = FIRST_CAPACITY
        while capacity < stop:
            capacity *= 2
        n_rows, _, n_heads, n_channels = new_BTKC.shape
        shape = (n_rows, n_heads, min(capacity, self.max_tokens), n_channels)
        grown_BKSC = new_BTKC.new_empty(shape)
        if held_BKSC is not None:
            grown_BKSC[:, :, :start] = held_BKSC[:, :, :start]
        return grown_BKSC
