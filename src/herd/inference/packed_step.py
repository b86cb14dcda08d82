"""One step's tokens, packed in a row: where each is kept, and what each may look at.

In: the chunks of a step, the paged cache. Out: token ids and positions for the model, and the
attention of every chunk over its own sequence (`herd.model.PackedCache`).
Never: which chunks run together; the linear layers, which see all tokens of the step at once.
"""

from __future__ import annotations

from collections.abc import Sequence

import torch
from torch.nn import functional

from herd import ops
from herd.inference.paged_cache import BLOCK_TOKENS, PagedCache
from herd.inference.runner import Chunk


class TokenRows:
    """The tokens of some chunks one after another: ids, positions and places in the cache.

    Every row of `id_N`, `position_N`, `block_N`, `place_N` (int64, on the cache's device) is a token.
    """

    def __init__(self, cache: PagedCache, chunks: Sequence[Chunk]) -> None:
        ids: list[int] = []
        positions: list[int] = []
        blocks: list[int] = []
        for chunk in chunks:
            held = range(chunk.start, chunk.start + len(chunk.tokens))
            table = chunk.blocks
            ids += chunk.tokens
            positions += held
            blocks += [table[position // BLOCK_TOKENS] for position in held]
        device = cache.keys_NLKCP.device
        # One transfer: on a GPU each costs as much as a small kernel.
        rows_3N = torch.tensor([ids, positions, blocks], dtype=torch.int64).to(device)
        self.id_N, self.position_N, self.block_N = rows_3N
        self.place_N = self.position_N % BLOCK_TOKENS


def clear_begun_blocks(cache: PagedCache, chunks: Sequence[Chunk]) -> None:
    """Zero the blocks that these chunks begin but do not fill.

    A masked place is multiplied by zero, not skipped, and a former owner may have left NaN there.
    """
    begun = []
    for chunk in chunks:
        stop = chunk.start + len(chunk.tokens)
        if stop % BLOCK_TOKENS and stop - stop % BLOCK_TOKENS >= chunk.start:
            begun.append(chunk.blocks[stop // BLOCK_TOKENS])
    if begun:
        begun_N = torch.tensor(begun, device=cache.keys_NLKCP.device)
        cache.keys_NLKCP.index_fill_(0, begun_N, 0.0)
        cache.values_NLKPC.index_fill_(0, begun_N, 0.0)


class PackedStep:
    """The `PackedCache` of one step. Chunks of one token are attended to in one padded batch."""

    def __init__(self, cache: PagedCache, chunks: Sequence[Chunk]) -> None:
        self._cache = cache
        self.rows = TokenRows(cache, chunks)
        self._long: list[tuple[slice, torch.Tensor, int]] = []  # rows, blocks, length
        device = cache.keys_NLKCP.device
        singles: list[tuple[int, Chunk]] = []
        row = 0
        for chunk in chunks:
            stop = row + len(chunk.tokens)
            if len(chunk.tokens) == 1:
                singles.append((row, chunk))
            else:
                length = chunk.start + len(chunk.tokens)
                n_blocks = -(-length // BLOCK_TOKENS)
                table_N = torch.tensor(list(chunk.blocks[:n_blocks]), device=device)
                self._long.append((slice(row, stop), table_N, length))
            row = stop
        self._single_B = torch.tensor([row for row, _ in singles], device=device)
        if singles:
            self._table_BN, self._visible_B11S = _padded_tables([c for _, c in singles], device)

    def attend(
        self, layer: int, q_BTHC: torch.Tensor, k_BTKC: torch.Tensor, v_BTKC: torch.Tensor
    ) -> torch.Tensor:
        """Keep the step's keys and values of `layer`; return what its queries see, [1, T, H, C]."""
        write(self._cache, layer, self.rows, k_BTKC[0], v_BTKC[0])
        out_BTHC = torch.empty_like(q_BTHC)
        if len(self._single_B):
            out_BTHC[0, self._single_B] = self._attend_singles(layer, q_BTHC[0, self._single_B])
        for rows, table_N, length in self._long:
            k_SKC, v_SKC = self._read(layer, table_N, length, q_BTHC.dtype)
            out_BTHC[:, rows] = ops.attention(q_BTHC[:, rows], k_SKC[None], v_SKC[None])
        return out_BTHC

    def _read(
        self, layer: int, table_N: torch.Tensor, length: int, dtype: torch.dtype
    ) -> tuple[torch.Tensor, torch.Tensor]:
        keys_NKCP = self._cache.keys_NLKCP[table_N, layer]
        values_NKPC = self._cache.values_NLKPC[table_N, layer]
        k_SKC = keys_NKCP.permute(0, 3, 1, 2).flatten(0, 1)[:length]
        v_SKC = values_NKPC.transpose(1, 2).flatten(0, 1)[:length]
        return k_SKC.to(dtype), v_SKC.to(dtype)

    def _attend_singles(self, layer: int, q_BHC: torch.Tensor) -> torch.Tensor:
        keys_BNKCP = self._cache.keys_NLKCP[self._table_BN, layer]
        values_BNKPC = self._cache.values_NLKPC[self._table_BN, layer]
        k_BKSC = keys_BNKCP.permute(0, 2, 1, 4, 3).flatten(2, 3)
        v_BKSC = values_BNKPC.transpose(1, 2).flatten(2, 3)
        out_BH1C = functional.scaled_dot_product_attention(
            q_BHC[:, :, None],
            k_BKSC.to(q_BHC.dtype),
            v_BKSC.to(q_BHC.dtype),
            attn_mask=self._visible_B11S,
            enable_gqa=q_BHC.shape[1] != k_BKSC.shape[1],
        )
        return out_BH1C[:, :, 0]


def write(
    cache: PagedCache, layer: int, rows: TokenRows, k_NKC: torch.Tensor, v_NKC: torch.Tensor
) -> None:
    """Put each token's key and value of `layer` at its place."""
    keys_NKCP, values_NKPC = cache.keys_NLKCP[:, layer], cache.values_NLKPC[:, layer]
    keys_NKCP[rows.block_N, :, :, rows.place_N] = k_NKC.to(keys_NKCP.dtype)
    values_NKPC[rows.block_N, :, rows.place_N] = v_NKC.to(values_NKPC.dtype)


def padded_table(chunk: Chunk, n_blocks: int) -> list[int]:
    """Return the blocks of the chunk's tokens, the first again where they are under `n_blocks`.

    What is read there is masked, but it is multiplied by zero: it had better be its own.
    """
    table = list(chunk.blocks[: -(-(chunk.start + len(chunk.tokens)) // BLOCK_TOKENS)])
    return table + table[:1] * (n_blocks - len(table))


def _padded_tables(
    chunks: Sequence[Chunk], device: torch.device
) -> tuple[torch.Tensor, torch.Tensor]:
    lengths = [chunk.start + 1 for chunk in chunks]
    n_blocks = -(-max(lengths) // BLOCK_TOKENS)
    table_BN = torch.tensor([padded_table(chunk, n_blocks) for chunk in chunks]).to(device)
    length_B111 = torch.tensor(lengths).to(device)[:, None, None, None]
    key_S = torch.arange(n_blocks * BLOCK_TOKENS, device=device)
    return table_BN, key_S < length_B111
