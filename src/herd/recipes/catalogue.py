"""The recipes by name, and a user's own by file.

In: `demo`, or `my_file.py:my_recipe`. Out: a recipe.
"""

import difflib
import importlib.util
import sys
from collections.abc import Callable, Mapping
from pathlib import Path

from herd.foundation import UserError
from herd.recipes.demo import demo
from herd.recipes.llama2 import (
    llama2_7b_recipe,
    llama2_13b_recipe,
    llama2_34b_recipe,
    llama2_70b_recipe,
)
from herd.recipes.llama3 import llama3_8b_recipe, llama3_70b_recipe, llama3_405b_recipe
from herd.recipes.recipe import Recipe
from herd.recipes.tiny import tiny

RECIPES: Mapping[str, Callable[[], Recipe]] = {
    "tiny": tiny,
    "demo": demo,
    "llama2_7b": llama2_7b_recipe,
    "llama2_13b": llama2_13b_recipe,
    "llama2_34b": llama2_34b_recipe,
    "llama2_70b": llama2_70b_recipe,
    "llama3_8b": llama3_8b_recipe,
    "llama3_70b": llama3_70b_recipe,
    "llama3_405b": llama3_405b_recipe,
}


def find_recipe(name: str) -> Recipe:
    """Return the recipe of that name, or what the named function of a user's file returns.

    A user's file is run, as Python runs any file that is named to it. Raises UserError when there
    is no such recipe, file or function, or the function returns something else.
    """
    if ".py:" in name:
        return _from_file(name)
    if name not in RECIPES:
        near = difflib.get_close_matches(name, RECIPES, n=1)
        hint = f"did you mean {near[0]}?" if near else f"there are {', '.join(RECIPES)}."
        raise UserError(f"no recipe {name!r}; {hint} Or name your own: my_file.py:my_recipe")
    return RECIPES[name]()


def _from_file(name: str) -> Recipe:
    file, _, function = name.rpartition(":")
    path = Path(file)
    if not path.is_file():
        raise UserError(f"{path}: no such file for the recipe {name!r}")
    module_name = f"herd_recipe_{path.stem}"
    spec = importlib.util.spec_from_file_location(module_name, path)
    assert spec is not None and spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    sys.modules[module_name] = module  # dataclasses of the file look themselves up here
    try:
        spec.loader.exec_module(module)
    except UserError:
        raise
    except Exception as error:
        raise UserError(f"{path} does not run: {type(error).__name__}: {error}") from error
    make = getattr(module, function, None)
    if not callable(make):
        raise UserError(f"{path} has no function {function!r}")
    try:
        recipe = make()
    except UserError:
        raise
    except Exception as error:
        raise UserError(f"{name} does not run: {type(error).__name__}: {error}") from error
    if not isinstance(recipe, Recipe):
        raise UserError(f"{name} returned {type(recipe).__name__}, not a Recipe")
    return recipe
