"""Whole runs as tables: functions without arguments that return a `Recipe`.

In: nothing. Out: configs, every number citing its section.
Never: logic.
"""

from herd.recipes.catalogue import (
    CURATIONS,
    RECIPES,
    find_any_recipe,
    find_curation,
    find_recipe,
    recipe_file,
)
from herd.recipes.recipe import Recipe

__all__ = [
    "CURATIONS",
    "RECIPES",
    "Recipe",
    "find_any_recipe",
    "find_curation",
    "find_recipe",
    "recipe_file",
]
