"""A random order of n things that needs no memory: any place in it is computed when asked for.

A Feistel network permutes the numbers of b bits, where 2**b is the first power of two not below n;
a number that lands outside 0..n-1 is sent through again until it lands inside (cycle walking,
Black and Rogaway 2002, section 3), which keeps the map a permutation of 0..n-1. The round function is
splitmix64's finalizer (Steele, Lea and Flood 2014), keyed by seed, epoch and round.
In: n, a seed, positions. Out: which thing stands there.
"""

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

N_ROUNDS = 8
MASK_64 = (1 << 64) - 1
GOLDEN_GAMMA = 0x9E3779B97F4A7C15

IndexArray = NDArray[np.int64]
_Words = NDArray[np.uint64]


def permuted(positions: IndexArray, n: int, *, seed: int, epoch: IndexArray) -> IndexArray:
    """Return what stands at `positions` (each in 0..n-1) of the order of (`seed`, `epoch`).

    `epoch` has the shape of `positions`: one call may reach over several epochs.
    """
    keys = _round_keys(seed, epoch.astype(np.uint64))
    value = positions.astype(np.uint64)
    result = np.empty_like(value)
    todo = np.arange(value.size)
    while todo.size:
        value = _feistel(value, [key[todo] for key in keys], (n - 1).bit_length())
        inside = value < np.uint64(n)
        result[todo[inside]] = value[inside]
        todo, value = todo[~inside], value[~inside]
    return result.astype(np.int64)


def permuted_plain(position: int, n: int, *, seed: int, epoch: int) -> int:
    """The same for one position in Python's integers; the reference for `permuted`."""
    bits = (n - 1).bit_length()
    left_bits, right_bits = bits // 2, bits - bits // 2
    value = position
    while True:
        left, right = value >> right_bits, value & ((1 << right_bits) - 1)
        for round_number in range(N_ROUNDS):
            key = _mix_plain(_mix_plain(_mix_plain(seed) ^ epoch) ^ round_number)
            if round_number % 2:
                left ^= _mix_plain(right ^ key) & ((1 << left_bits) - 1)
            else:
                right ^= _mix_plain(left ^ key) & ((1 << right_bits) - 1)
        value = left << right_bits | right
        if value < n:
            return value


def _feistel(value: _Words, keys: Sequence[_Words], bits: int) -> _Words:
    right_bits = np.uint64(bits - bits // 2)
    left_mask = np.uint64((1 << bits // 2) - 1)
    right_mask = np.uint64((1 << int(right_bits)) - 1)
    left, right = value >> right_bits, value & right_mask
    for round_number, key in enumerate(keys):
        # Each half is XORed with a function of the other, which can be undone: hence a permutation.
        if round_number % 2:
            left = left ^ (_mix(right ^ key) & left_mask)
        else:
            right = right ^ (_mix(left ^ key) & right_mask)
    return left << right_bits | right


def _round_keys(seed: int, epoch: _Words) -> list[_Words]:
    key = _mix(np.uint64(_mix_plain(seed)) ^ epoch)
    return [_mix(key ^ np.uint64(round_number)) for round_number in range(N_ROUNDS)]


def _mix(word: _Words) -> _Words:
    word = word + np.uint64(GOLDEN_GAMMA)
    word = (word ^ word >> np.uint64(30)) * np.uint64(0xBF58476D1CE4E5B9)
    word = (word ^ word >> np.uint64(27)) * np.uint64(0x94D049BB133111EB)
    return word ^ word >> np.uint64(31)


def _mix_plain(word: int) -> int:
    word = (word + GOLDEN_GAMMA) & MASK_64
    word = (word ^ word >> 30) * 0xBF58476D1CE4E5B9 & MASK_64
    word = (word ^ word >> 27) * 0x94D049BB133111EB & MASK_64
    return word ^ word >> 31
