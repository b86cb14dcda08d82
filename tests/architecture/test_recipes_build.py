"""Every recipe resolves, survives JSON, and its model can be built without memory."""

from collections.abc import Callable

import pytest
import torch

from herd.foundation import from_dict, to_dict
from herd.model import Transformer, parameter_count
from herd.recipes import RECIPES, Recipe


@pytest.mark.parametrize("name", sorted(RECIPES))
def test_recipe_builds_on_the_meta_device(name: str) -> None:
    make: Callable[[], Recipe] = RECIPES[name]
    recipe = make()
    with torch.device("meta"):
        model = Transformer(recipe.model)
    assert sum(p.numel() for p in model.parameters()) == parameter_count(recipe.model)


@pytest.mark.parametrize("name", sorted(RECIPES))
def test_recipe_reloads_equal_from_json(name: str) -> None:
    recipe = RECIPES[name]()
    assert from_dict(Recipe, to_dict(recipe)) == recipe
