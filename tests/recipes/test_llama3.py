"""Llama 3's recipes against the paper's own figures, counted out step by step."""

import pytest

from herd.recipes import find_recipe
from herd.recipes.llama3 import DECAY_UNTIL_TOKENS, RAMP, WARMUP_TOKENS
from herd.training import learning_rate, stage_at

STEPS_OF_COSINE = 1_200_000


def tokens_after(steps: int) -> int:
    """Walk the ramp stage by stage, each with as many steps as it takes to reach the next."""
    tokens = 0
    for stage, following in zip(RAMP, [*RAMP[1:], None], strict=True):
        if following is None:
            return tokens + steps * stage.batch_tokens
        needed = -(-(following.from_tokens - tokens) // stage.batch_tokens)
        taken = min(steps, needed)
        tokens, steps = tokens + taken * stage.batch_tokens, steps - taken
        if steps == 0:
            return tokens
    raise AssertionError


def test_warm_up_lasts_8000_steps() -> None:
    assert tokens_after(8_000) == WARMUP_TOKENS


def test_the_cosine_lasts_1_200_000_steps_and_outlives_the_run() -> None:
    assert tokens_after(STEPS_OF_COSINE) == pytest.approx(DECAY_UNTIL_TOKENS, rel=1e-5)
    assert find_recipe("llama3_405b").initial.loop.horizon_tokens < DECAY_UNTIL_TOKENS


def test_the_run_takes_about_1_1_million_steps() -> None:
    assert tokens_after(342_000 + 759_000) == pytest.approx(15.6e12, rel=0.01)


@pytest.mark.parametrize(
    ("name", "peak"), [("llama3_8b", 3e-4), ("llama3_70b", 1.5e-4), ("llama3_405b", 8e-5)]
)
def test_peak_and_end_of_the_learning_rate(name: str, peak: float) -> None:
    loop = find_recipe(name).initial.loop
    horizon = loop.horizon_tokens
    assert learning_rate(loop.schedule, WARMUP_TOKENS, horizon_tokens=horizon) == peak
    end = learning_rate(loop.schedule, DECAY_UNTIL_TOKENS, horizon_tokens=horizon)
    assert end == pytest.approx(peak / 100)


@pytest.mark.parametrize(
    ("tokens", "batch", "context"),
    [(0, 2**22, 4096), (252_000_000, 2**23, 8192), (2_870_000_000_000, 2**24, 8192)],
)
def test_the_batch_ramps_as_printed(tokens: int, batch: int, context: int) -> None:
    stage = stage_at(find_recipe("llama3_405b").initial.loop.batch, tokens)
    assert (stage.batch_tokens, stage.context) == (batch, context)
