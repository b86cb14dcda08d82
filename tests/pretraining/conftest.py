"""A made-up corpus and a recipe small enough for it."""

import random
from dataclasses import replace
from pathlib import Path

import pytest

from herd.pretraining import CorpusConfig
from herd.recipes import Recipe, find_recipe

STEPS = 30


def write_words(directory: Path) -> Path:
    """Write twelve documents of made-up words, the same every time."""
    dice = random.Random(0)
    words = [f"{a}{b}" for a in ("ka", "lo", "mi", "re", "tu") for b in ("na", "so", "vi", "q")]
    directory.mkdir()
    for number in range(12):
        sentences = (" ".join(dice.choices(words, k=9)) for _ in range(60))
        (directory / f"{number}.txt").write_text(".\n".join(sentences))
    return directory


def small_recipe(text: Path, steps: int = STEPS) -> Recipe:
    """Return tiny, made smaller still."""
    tiny = find_recipe("tiny")
    loop = replace(
        tiny.initial.loop,
        horizon_tokens=steps * 1024,
        schedule=replace(tiny.initial.loop.schedule, warmup_tokens=5 * 1024),
        checkpoint_every_tokens=10 * 1024,
    )
    return replace(
        tiny,
        model=replace(tiny.model, dim=32, n_heads=2, n_layers=2, head_dim=16, ffn_dim=64),
        corpus=CorpusConfig.of(str(text)),
        initial=replace(
            tiny.initial,
            loop=loop,
            validate_every_tokens=10 * 1024,
            validate_tokens=256,
            sample_every_tokens=10 * 1024,
            sample_prompts=("kana", "loso"),
        ),
    )


@pytest.fixture(scope="session")
def words(tmp_path_factory) -> Path:
    return write_words(tmp_path_factory.mktemp("corpus") / "words")


@pytest.fixture(scope="session")
def make_recipe():
    return small_recipe


@pytest.fixture(scope="package", autouse=True)
def own_cache(tmp_path_factory):
    """Ceilings measured while tests run are not the user's."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("XDG_CACHE_HOME", str(tmp_path_factory.mktemp("cache")))
        yield
