"""Which coordinates of a tensor are watched: a lattice, the same at every step and on every layout.

In: a tensor's global shape and the most coordinates to take. Out: a stride for each dimension, and
for a shard of the tensor the slices that pick its part of the lattice. A coordinate is watched or
not by its place in the whole tensor, so that one rank or many watch the same ones.
"""

import math
from collections.abc import Sequence

FEWEST_ROWS = 16  # whole rows are fastest to copy; fewer would stand for too few neurons or tokens


def lattice_strides(shape: Sequence[int], max_coordinates: int | None) -> tuple[int, ...]:
    """Return strides that leave at most `max_coordinates`.

    Rows are thinned first, then whatever dimension is longest. Strides above 1 are odd, so that
    they do not fall in step with heads and other powers of two.
    """
    strides = [1] * len(shape)
    kept = list(shape)
    while max_coordinates is not None and math.prod(kept) > max_coordinates:
        thinned = 0 if kept[0] > FEWEST_ROWS else max(range(len(shape)), key=kept.__getitem__)
        strides[thinned] += 2
        kept[thinned] = -(-shape[thinned] // strides[thinned])
    return tuple(strides)


def local_slices(strides: Sequence[int], offsets: Sequence[int]) -> tuple[slice, ...]:
    """Return the slices of a shard that starts at `offsets` within the whole tensor."""
    return tuple(
        slice(-offset % stride, None, stride)
        for stride, offset in zip(strides, offsets, strict=True)
    )


def n_picked(shape: Sequence[int], slices: Sequence[slice]) -> int:
    """Return how many coordinates the slices pick from a shard of this shape."""
    return math.prod(
        len(range(*taken.indices(size))) for size, taken in zip(shape, slices, strict=True)
    )
