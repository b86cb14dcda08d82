"""Batches in a global order that depends only on the seed and the position.

The stream is cut into windows of `context` tokens (and the one after, as last target). Sequence number
i of the endless order is a window chosen by a permutation keyed by the seed and the epoch, so each
epoch shows every window once, and resuming means going on from one integer. Data-parallel ranks take
contiguous shares of the same global batch.
In: a ShardReader. Out: Batch. Never: state.
"""

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from herd.data.batch import Batch
from herd.data.permutation import permuted
from herd.data.shard_reader import ShardReader
from herd.foundation import UserError

if TYPE_CHECKING:
    import torch


@dataclass(frozen=True, kw_only=True, slots=True)
class Sequence:
    """One sequence as arrays of length T, with the meanings of `Batch`."""

    tokens_T: NDArray[np.int64]
    targets_T: NDArray[np.int64]
    loss_mask_T: NDArray[np.bool_]
    segment_T: NDArray[np.int64]
    position_T: NDArray[np.int64]


class Loader:
    """Sequences of `context` tokens from a shard, in the order of `seed`, without end.

    Raises UserError when the shard is shorter than one window.
    """

    def __init__(self, reader: ShardReader, *, context: int, seed: int) -> None:
        if context < 1:
            raise UserError(f"context must be at least 1 token, not {context}")
        if reader.n_tokens < context + 1:
            raise UserError(
                f"{reader.directory}: {reader.n_tokens} tokens, too few for one sequence of {context} "
                "and its last target; pack more text or choose a shorter context"
            )
        self.reader = reader
        self.context = context
        self.seed = seed

    @property
    def sequences_per_epoch(self) -> int:
        """Windows in the shard; at most `context` tokens at its end are in none."""
        return (self.reader.n_tokens - 1) // self.context

    def batch(
        self, first_sequence: int, n_sequences: int, *, rank: int = 0, world_size: int = 1
    ) -> Batch:
        """Return this rank's share of sequences `first_sequence` and the following of the order.

        Concatenated over ranks, the shares are the batch of `world_size` 1. Raises UserError when
        the ranks cannot share equally, or the shard is damaged.
        """
        if n_sequences % world_size or not 0 <= rank < world_size:
            raise UserError(
                f"a batch of {n_sequences} sequences for rank {rank} of {world_size}: "
                "the batch must be a multiple of the number of ranks"
            )
        share = n_sequences // world_size
        start_B = self._window_starts(first_sequence + rank * share, share)
        return self._cut(start_B)

    def sequence_at(self, index: int) -> Sequence:
        """Return one sequence, token by token from the document offsets; the reference for `batch`."""
        start = int(self._window_starts(index, 1)[0])
        ids = self.reader.tokens(start, start + self.context + 1)
        bounds = self.reader.index.document_offsets
        ends = set(bounds[1:])
        segment: list[int] = []
        position: list[int] = []
        mask: list[bool] = []
        for t in range(start, start + self.context):
            begins_document = t > start and t in ends
            segment.append(segment[-1] + begins_document if segment else 0)
            position.append(0 if begins_document or not position else position[-1] + 1)
            mask.append(t + 1 not in ends)
        return Sequence(
            tokens_T=ids[:-1],
            targets_T=ids[1:],
            loss_mask_T=np.array(mask),
            segment_T=np.array(segment),
            position_T=np.array(position),
        )

    def documents_in(self, first_sequence: int, n_sequences: int) -> list[str]:
        """Return the names of the documents these sequences were cut from, each once, in order."""
        offsets, names = self.reader.document_offsets, self.reader.index.document_names
        start_B = self._window_starts(first_sequence, n_sequences)
        first_B = np.searchsorted(offsets, start_B, side="right") - 1
        last_B = np.searchsorted(offsets, start_B + self.context - 1, side="right") - 1
        seen = dict.fromkeys(
            document
            for first, last in zip(first_B, last_B, strict=True)
            for document in range(int(first), int(last) + 1)
        )
        return [names[document] for document in seen]

    def _window_starts(self, first_sequence: int, n_sequences: int) -> NDArray[np.int64]:
        if first_sequence < 0 or n_sequences < 1:
            raise UserError(f"sequences {first_sequence} + {n_sequences}: no such stretch")
        number_B = np.arange(first_sequence, first_sequence + n_sequences, dtype=np.int64)
        epoch_B, position_B = np.divmod(number_B, self.sequences_per_epoch)
        window_B = permuted(position_B, self.sequences_per_epoch, seed=self.seed, epoch=epoch_B)
        return window_B * self.context

    def _cut(self, start_B: NDArray[np.int64]) -> Batch:
        import torch

        offsets = self.reader.document_offsets
        index_BT = start_B[:, None] + np.arange(self.context + 1)
        ids_BT = self.reader.checked(self.reader.tokens_N[index_BT])
        document_BT = np.searchsorted(offsets, index_BT, side="right") - 1
        here_BT = document_BT[:, :-1]
        segment_start_BT = np.maximum(offsets[here_BT], start_B[:, None])
        return Batch(
            tokens_BT=_tensor(torch, ids_BT[:, :-1]),
            targets_BT=_tensor(torch, ids_BT[:, 1:]),
            loss_mask_BT=_tensor(torch, document_BT[:, 1:] == here_BT),
            segment_BT=_tensor(torch, here_BT - here_BT[:, :1]),
            position_BT=_tensor(torch, index_BT[:, :-1] - segment_start_BT),
        )


def _tensor(torch_module: Any, array: NDArray[Any]) -> "torch.Tensor":
    tensor: torch.Tensor = torch_module.from_numpy(np.ascontiguousarray(array))
    return tensor
