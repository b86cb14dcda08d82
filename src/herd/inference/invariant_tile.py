"""Attention of a tile of 16 tokens in operations of one fixed shape, whatever else is in the step.

In: 16 tokens of any sequences, the paged cache. Out: what each sees of its own sequence.
Never: a shape that hangs on the batch, on how a prompt was cut, or on how long the others are; a
kernel of another shape may sum in another order, and then the last bit differs.
After Thinking Machines Lab, "Defeating Nondeterminism in LLM Inference" (2025): batch invariance.
"""

from __future__ import annotations

from collections.abc import Sequence

import torch

from herd.inference.packed_step import TokenRows, padded_table, write
from herd.inference.paged_cache import BLOCK_TOKENS, PagedCache
from herd.inference.runner import Chunk

TILE_TOKENS = 16  # rows of every matrix product
PIECE_BLOCKS = 8  # keys are looked at 128 at a time


class InvariantTile:
    """The `PackedCache` of up to 16 chunks of one token each; rows beyond them are idle.

    Keys are looked at piece by piece with a running maximum (Milakov and Gimelshein 2018). A piece
    that lies wholly beyond a row's length multiplies its sums by one and adds zero to them, so a
    long neighbour in the tile leaves no trace.
    """

    def __init__(self, cache: PagedCache, chunks: Sequence[Chunk]) -> None:
        self._cache = cache
        self._n_rows = len(chunks)
        self._rows = TokenRows(cache, chunks)
        device = cache.keys_NLKCP.device
        n_idle = TILE_TOKENS - len(chunks)
        lengths = [chunk.start + 1 for chunk in chunks]
        n_pieces = -(-max(lengths) // (PIECE_BLOCKS * BLOCK_TOKENS))
        n_blocks = n_pieces * PIECE_BLOCKS
        tables = [padded_table(chunk, n_blocks) for chunk in chunks] + [[0] * n_blocks] * n_idle
        table_BN = torch.tensor(tables).to(device)
        length_B11 = torch.tensor(lengths + [1] * n_idle).to(device)[:, None, None]
        key_S = torch.arange(n_blocks * BLOCK_TOKENS, device=device)
        self._pieces = list(
            zip(
                torch.split(table_BN, PIECE_BLOCKS, dim=1),
                torch.split(key_S >= length_B11, PIECE_BLOCKS * BLOCK_TOKENS, dim=2),
                strict=True,
            )
        )
        idle = torch.zeros(n_idle, dtype=torch.int64, device=device)
        self.tokens_1T = torch.cat((self._rows.id_N, idle))[None]
        self.position_1T = torch.cat((self._rows.position_N, idle))[None]

    def attend(
        self, layer: int, q_BTHC: torch.Tensor, k_BTKC: torch.Tensor, v_BTKC: torch.Tensor
    ) -> torch.Tensor:
        """Keep the tile's keys and values of `layer`; return what its queries see, [1, 16, H, C]."""
        n_rows, n_kv_heads = self._n_rows, k_BTKC.shape[2]
        write(self._cache, layer, self._rows, k_BTKC[0, :n_rows], v_BTKC[0, :n_rows])
        # Batch of the products: row and key-value head; rows of each: the queries that share it.
        q_BKGC = torch.unflatten(q_BTHC[0].float(), 1, (n_kv_heads, -1)) / q_BTHC.shape[3] ** 0.5
        peak_BKG1 = torch.full_like(q_BKGC[..., :1], -torch.inf)
        total_BKG1 = torch.zeros_like(peak_BKG1)
        mixed_BKGC = torch.zeros_like(q_BKGC)
        for table_BN, hidden_B1S in self._pieces:
            k_BKCS, v_BKSC = self._read(layer, table_BN)
            scores_BKGS = (q_BKGC @ k_BKCS).masked_fill(hidden_B1S[:, None], -torch.inf)
            new_peak_BKG1 = torch.maximum(peak_BKG1, scores_BKGS.amax(-1, keepdim=True))
            weights_BKGS = (scores_BKGS - new_peak_BKG1).exp()
            shrink_BKG1 = (peak_BKG1 - new_peak_BKG1).exp()
            total_BKG1 = total_BKG1 * shrink_BKG1 + weights_BKGS.sum(-1, keepdim=True)
            mixed_BKGC = mixed_BKGC * shrink_BKG1 + weights_BKGS @ v_BKSC
            peak_BKG1 = new_peak_BKG1
        return (mixed_BKGC / total_BKG1).flatten(1, 2)[None].to(q_BTHC.dtype)

    def _read(self, layer: int, table_BN: torch.Tensor) -> tuple[torch.Tensor, torch.Tensor]:
        keys_BNKCP = self._cache.keys_NLKCP[table_BN, layer].float()
        values_BNKPC = self._cache.values_NLKPC[table_BN, layer].float()
        k_BKCS = keys_BNKCP.permute(0, 2, 3, 1, 4).flatten(3, 4)
        v_BKSC = values_BNKPC.transpose(1, 2).flatten(2, 3)
        return k_BKCS, v_BKSC
