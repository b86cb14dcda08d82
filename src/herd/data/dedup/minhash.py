"""MinHash: a text's shingles in a few numbers, by which two texts' likeness is estimated and found.

The share of places in which two signatures agree estimates the Jaccard similarity of the shingle sets
(Broder 1997), with a standard deviation of sqrt(J(1-J)/n). Cut into b bands of r places, two texts share
a whole band with probability 1 - (1 - J^r)^b. With the default 24 bands of 8: 0.09 at J = 0.5, 0.35 at
0.6, 0.76 at 0.7, 0.99 at 0.8, so that next to none of the pairs sought is missed, and the signatures
themselves tell the rest apart.
In: shingle hashes. Out: signatures; keys of bands.
"""

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from herd.data.word_hashes import MIX_1, Hashes
from herd.foundation import missing_library

Signatures = NDArray[np.uint32]
SEED = 42


def signatures(shingles: Sequence[Hashes], n_places: int) -> Signatures:
    """Return the signature of each text, shape [texts, n_places]; a text without shingles has zeros."""
    try:
        from rensa import RMinHash
    except ImportError:
        raise missing_library("MinHash", "rensa", "data") from None
    if not shingles:
        return np.empty((0, n_places), dtype=np.uint32)
    offsets = np.concatenate([[0], np.cumsum([one.size for one in shingles])]).astype(np.uint64)
    flat = np.concatenate(shingles) if offsets[-1] else np.empty(0, dtype=np.uint64)
    matrix = RMinHash.digest_matrix_from_flat_token_hashes(
        flat, offsets, num_perm=n_places, seed=SEED
    )
    found: Signatures = np.array(matrix.to_rows(), dtype=np.uint32)
    found[[one.size == 0 for one in shingles]] = 0
    return found


def plain_signature(shingles: Hashes, factors: Hashes, terms: Hashes) -> Signatures:
    """Return a signature by the definition: the least of each of many hashes of all shingles."""
    hashed: Hashes = (shingles[:, None] * factors[None, :] + terms[None, :]) >> np.uint64(32)
    least: Signatures = hashed.min(axis=0).astype(np.uint32)
    return least


def band_keys(found: Signatures, n_bands: int) -> NDArray[np.uint64]:
    """Return the key of each band, shape [texts, bands]; 0 for a text without shingles."""
    n_rows = found.shape[1] // n_bands
    bands = found[:, : n_bands * n_rows].reshape(found.shape[0], n_bands, n_rows).astype(np.uint64)
    keys = np.full((found.shape[0], n_bands), np.uint64(n_rows))
    for row in range(n_rows):
        keys = (keys ^ bands[:, :, row]) * MIX_1
        keys ^= keys >> np.uint64(31)
    keys[~found.any(axis=1)] = 0
    return keys


def likeness(some: Signatures, others: Signatures) -> NDArray[np.float64]:
    """Return the estimated Jaccard similarity of each pair of signatures."""
    agree: NDArray[np.float64] = (some == others).mean(axis=1)
    return agree


def share_a_band(jaccard: float, n_bands: int, n_rows: int) -> float:
    """Return the probability that two texts of this similarity share a band."""
    return float(1 - (1 - jaccard**n_rows) ** n_bands)
