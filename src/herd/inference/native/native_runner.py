"""The fast runner on a CPU: one call into C for all layers of a step.

In: chunks of tokens. Out: logits. Same protocol and meaning as `TorchRunner`, and more: a row's numbers do not
depend to the last bit on what else is in the step, nor on how a prompt was cut.
Never: weights of its own making; `PackedWeights` moves those of the model.
"""

from __future__ import annotations

import ctypes
import functools
from collections.abc import Sequence
from itertools import accumulate

import numpy as np
import torch

from herd import ops
from herd.foundation import UserError, available_cores
from herd.inference.native.library import NoNativeCodeError, open_library
from herd.inference.native.packed_weights import PackedWeights
from herd.inference.native.self_check import why_not_trusted
from herd.inference.native.structures import CacheStruct, StepStruct
from herd.inference.native.thread_team import ThreadTeam
from herd.inference.paged_cache import BLOCK_TOKENS, PagedCache
from herd.inference.runner import Chunk
from herd.model import ModelConfig, Transformer, quantized_linears, scheme_of

LARGEST_GROUP = 24  # query heads of one key-value head; a tile of attention.h
CACHE_DTYPES = (torch.float32, torch.float16)


def why_not_native(model: Transformer) -> str | None:
    """Return why this model cannot run natively here, None when it can."""
    return _why_not_this_model(model) or why_no_native_code()


@functools.cache
def why_no_native_code() -> str | None:
    """Return why nothing can run natively on this machine, None when the library is there and right."""
    try:
        return why_not_trusted(open_library())
    except NoNativeCodeError as reason:
        return str(reason)


def _why_not_this_model(model: Transformer) -> str | None:
    config = model.config
    if model.embedding.weight.device.type != "cpu":
        return f"the model is on {model.embedding.weight.device}"
    if config.head_dim % BLOCK_TOKENS:
        return f"head_dim is {config.head_dim}, not a multiple of {BLOCK_TOKENS}"
    if config.n_heads // config.n_kv_heads > LARGEST_GROUP:
        return f"more than {LARGEST_GROUP} query heads share a key-value head"
    if quantized_linears(model) and scheme_of(model) != "int8":
        return "its weights are in FP8, or only some of them are quantised"
    if len({weight.dtype for weight in model.layers.parameters() if weight.ndim == 2}) > 1:
        return "its weights are of several dtypes"
    return None


class NativeRunner:
    """A `Runner` for CPUs, for one thread at a time."""

    def __init__(
        self,
        model: Transformer,
        n_blocks: int,
        *,
        cache_dtype: torch.dtype = torch.float32,
        n_threads: int | None = None,
        library: ctypes.CDLL | None = None,
    ) -> None:
        """Pack the weights. Raises UserError where `why_not_native` gives a reason."""
        if reason := why_not_native(model):
            raise UserError(f"this model cannot run natively: {reason}")
        if cache_dtype not in CACHE_DTYPES:
            raise ValueError(f"the native cache holds float32 or float16, not {cache_dtype}")
        self.config: ModelConfig = model.config
        self.n_blocks = n_blocks
        self.cache = PagedCache(model.config, n_blocks, dtype=cache_dtype)
        self._library = library or open_library()
        self._weights = PackedWeights(model, self._library)
        self._weights.struct.cache = self._cache_struct()
        self._embedding = EmbeddingTable(model.embedding.weight.detach())
        self._rope = RopeTable(model.config)
        self._logits_RV = torch.empty(0, self._weights.head_width)
        self._team = ThreadTeam(
            self._library, available_cores() if n_threads is None else n_threads
        )

    def run(self, chunks: Sequence[Chunk]) -> torch.Tensor:
        """Do what `Runner.run` says; the logits are on the CPU and hold until the next run.

        Raises MemoryError, and ValueError for chunks that do not hold together.
        """
        if not chunks:
            raise ValueError("a step needs at least one chunk")
        step = _StepArrays(chunks, self._rope, self.n_blocks)
        x_TD = self._embedding.rows([token for chunk in chunks for token in chunk.tokens])
        logits_RV = self._room_for_logits(step.n_rows)
        struct = step.struct(x_TD, logits_RV)
        self._team.run(self._weights.struct, struct)
        return logits_RV[:, : self.config.vocab_size]

    def copy_block(self, source: int, target: int) -> None:
        """Copy one block's keys and values in all layers."""
        self.cache.copy_block(source, target)

    def close(self) -> None:
        """End the threads; no step can follow."""
        self._team.close()

    def _room_for_logits(self, n_rows: int) -> torch.Tensor:
        """Return the memory of earlier steps: fresh memory costs a page fault every 4 KiB."""
        if n_rows > len(self._logits_RV):
            n_rows_made = max(n_rows, 2 * len(self._logits_RV))
            self._logits_RV = torch.empty(n_rows_made, self._weights.head_width)
        return self._logits_RV[:n_rows]

    def _cache_struct(self) -> CacheStruct:
        cache = self.cache
        return CacheStruct(
            is_half=cache.keys_NLKCP.dtype == torch.float16,
            keys=cache.keys_NLKCP.data_ptr(),
            values=cache.values_NLKPC.data_ptr(),
            n_layers=self.config.n_layers,
            n_heads=self.config.n_kv_heads,
            head_dim=self.config.head_dim,
        )


class EmbeddingTable:
    """Rows of a weight [V, D], read by NumPy: torch would wake threads of its own, which then spin
    for milliseconds on the cores that the step needs.
    """

    def __init__(self, weight_VD: torch.Tensor) -> None:
        self._is_bfloat16 = weight_VD.dtype == torch.bfloat16  # which NumPy does not know
        self._weight_VD = (weight_VD.view(torch.int16) if self._is_bfloat16 else weight_VD).numpy()

    def rows(self, tokens: Sequence[int]) -> np.ndarray:
        """Return the rows of `tokens`, float32 [T, D]."""
        x_TD: np.ndarray = self._weight_VD[np.array(tokens)]
        if self._is_bfloat16:
            x_TD = (x_TD.astype(np.int32) << 16).view(np.float32)  # bfloat16 is the upper half
        return x_TD.astype(np.float32, copy=False)


class RopeTable:
    """Cosines and sines of all positions met so far, float32 [positions, head_dim / 2]."""

    def __init__(self, config: ModelConfig) -> None:
        self._frequencies = ops.rope_frequencies(
            config.head_dim, config.rope_theta, config.rope_scaling
        )
        self._longest = config.max_context
        self._tables = self._compute(min(1024, config.max_context))

    def at(self, position_T: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        """Return the rows of both tables, contiguous."""
        n_needed = int(position_T.max()) + 1
        if n_needed > len(self._tables[0]):
            self._tables = self._compute(max(n_needed, min(2 * n_needed, self._longest)))
        cos, sin = self._tables
        return cos[position_T], sin[position_T]

    def _compute(self, n_positions: int) -> tuple[np.ndarray, np.ndarray]:
        angle = torch.arange(n_positions)[:, None].float() * self._frequencies
        return angle.cos().numpy(), angle.sin().numpy()


class _StepArrays:
    """The integers of a step as C reads them."""

    def __init__(self, chunks: Sequence[Chunk], rope: RopeTable, n_blocks: int) -> None:
        for chunk in chunks:
            _check(chunk)
        lengths = [len(chunk.tokens) for chunk in chunks]
        starts = [0, *accumulate(lengths)]
        tables = [0, *accumulate(len(chunk.blocks) for chunk in chunks)]
        positions = [np.arange(c.start, c.start + n) for c, n in zip(chunks, lengths, strict=True)]
        rows = [
            np.arange(end - chunk.n_logits, end)
            for chunk, end in zip(chunks, starts[1:], strict=True)
        ]
        self.position_T = np.concatenate(positions).astype(np.int32)
        self.chunk_start = np.array(starts, np.int32)
        self.table_start = np.array(tables[:-1], np.int32)
        self.blocks = np.array([block for chunk in chunks for block in chunk.blocks], np.int32)
        self.rows = np.concatenate(rows).astype(np.int32)
        if self.blocks.min() < 0 or self.blocks.max() >= n_blocks:
            raise ValueError(f"a block table names a block outside 0 to {n_blocks - 1:,}")
        self.cos_TC, self.sin_TC = rope.at(self.position_T)

    @property
    def n_rows(self) -> int:
        """Return how many rows of logits are wanted."""
        return len(self.rows)

    def struct(self, x_TD: np.ndarray, logits_RV: torch.Tensor) -> StepStruct:
        """Return the struct; it points into this object, the array and the tensor."""
        arrays = (self.position_T, self.chunk_start, self.table_start, self.blocks, self.rows)
        return StepStruct(
            len(self.position_T),
            len(self.table_start),
            self.n_rows,
            *(array.ctypes.data for array in (*arrays, self.cos_TC, self.sin_TC)),
            x_TD.ctypes.data,
            logits_RV.data_ptr(),
        )


def _check(chunk: Chunk) -> None:
    """C trusts what it is handed; the engine makes no such chunk, but others may."""
    n_tokens, n_places = len(chunk.tokens), len(chunk.blocks) * BLOCK_TOKENS
    if not n_tokens or chunk.start < 0 or not 0 <= chunk.n_logits <= n_tokens:
        raise ValueError(
            f"a chunk of {n_tokens} tokens from position {chunk.start} with {chunk.n_logits} logits"
        )
    if chunk.start + n_tokens > n_places:
        raise ValueError(f"{chunk.start + n_tokens} tokens do not fit {n_places} places of blocks")
