"""The lattice of watched coordinates: bounded, and the same however a tensor is cut."""

import math

import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st

from herd.stability.coordinate_sample import lattice_strides, local_slices, n_picked

SHAPES = st.lists(st.integers(1, 60), max_size=3)


@given(shape=SHAPES, most=st.integers(1, 500))
def test_no_more_than_asked_for_and_at_least_one(shape: list[int], most: int) -> None:
    strides = lattice_strides(shape, most)
    assert 1 <= n_picked(shape, local_slices(strides, [0] * len(shape))) <= most


@given(shape=st.lists(st.integers(1, 30), min_size=1, max_size=2), cut=st.integers(0, 30))
def test_two_shards_pick_together_what_the_whole_picks(shape: list[int], cut: int) -> None:
    strides = lattice_strides(shape, 40)
    cut = min(cut, shape[0])
    whole = torch.arange(math.prod(shape)).view(shape)
    zeros = [0] * (len(shape) - 1)
    parts = [
        part[local_slices(strides, [start, *zeros])].flatten()
        for part, start in ((whole[:cut], 0), (whole[cut:], cut))
    ]
    picked = whole[local_slices(strides, [0] * len(shape))].flatten()
    assert torch.cat(parts).tolist() == picked.tolist()


@pytest.mark.parametrize("shape", [(4096, 320), (128256, 4096), (8, 14336, 4096), (100_000,)])
def test_strides_do_not_fall_in_step_with_heads(shape: tuple[int, ...]) -> None:
    assert all(stride % 2 for stride in lattice_strides(shape, 8192))


def test_without_a_limit_every_coordinate_is_watched() -> None:
    assert lattice_strides((1000, 1000), None) == (1, 1)
