"""Whole runs as tables: functions without arguments that return a `Recipe`.

In: nothing. Out: configs, every number citing its section.
Never: logic.
"""

from herd.recipes.catalogue import RECIPES, find_recipe
from herd.recipes.recipe import Recipe

__all__ = ["RECIPES", "Recipe", "find_recipe"]
