"""Llama 2's recipes against the paper's own figures."""

import pytest

from herd.recipes import find_recipe
from herd.training import learning_rate

SIZES = ["llama2_7b", "llama2_13b", "llama2_34b", "llama2_70b"]


@pytest.mark.parametrize("name", SIZES)
def test_two_trillion_tokens_are_about_half_a_million_steps_of_4m(name: str) -> None:
    loop = find_recipe(name).initial.loop
    assert loop.horizon_tokens == 2_000_000_000_000
    assert loop.horizon_tokens / loop.batch[0].batch_tokens == pytest.approx(477_000, rel=1e-3)


@pytest.mark.parametrize(
    ("name", "peak"), [(SIZES[0], 3e-4), (SIZES[1], 3e-4), (SIZES[2], 1.5e-4), (SIZES[3], 1.5e-4)]
)
def test_the_rate_peaks_after_2000_steps_and_ends_at_a_tenth(name: str, peak: float) -> None:
    loop = find_recipe(name).initial.loop
    warm = 2000 * loop.batch[0].batch_tokens
    horizon = loop.horizon_tokens
    assert learning_rate(loop.schedule, warm, horizon_tokens=horizon) == peak
    assert learning_rate(loop.schedule, warm / 2, horizon_tokens=horizon) == peak / 2
    end = learning_rate(loop.schedule, horizon, horizon_tokens=horizon)
    assert end == pytest.approx(peak / 10)
