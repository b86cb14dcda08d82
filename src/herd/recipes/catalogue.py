"""The recipes by name, and a user's own by file.

In: `demo`, or `my_file.py:my_recipe`. Out: a recipe.
"""

import difflib
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import TypeAlias, TypeVar

from herd.data import CurationRecipe
from herd.foundation import UserError, load_python_file
from herd.recipes.curation import books, web
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


CURATIONS: Mapping[str, Callable[[], CurationRecipe]] = {
    "web": web,
    "books": books,
}
AnyRecipe: TypeAlias = Recipe | CurationRecipe
Wanted = TypeVar("Wanted")


def find_recipe(name: str) -> Recipe:
    """Return the recipe of that name, or what the named function of a user's file returns.

    A user's file is run, as Python runs any file that is named to it. Raises UserError when there
    is no such recipe, file or function, or the function returns something else.
    """
    return _find(name, RECIPES, (Recipe,))


def find_curation(name: str) -> CurationRecipe:
    """Return the recipe of curation of that name, or a user's own; as `find_recipe` does."""
    return _find(name, CURATIONS, (CurationRecipe,))


def find_any_recipe(name: str) -> AnyRecipe:
    """Return a recipe of a run or of curation; as `find_recipe` does."""
    known: Mapping[str, Callable[[], AnyRecipe]] = {**RECIPES, **CURATIONS}
    kinds: tuple[type[AnyRecipe], ...] = (Recipe, CurationRecipe)
    return _find(name, known, kinds)


def recipe_file(name: str) -> str:
    """Return the user's file in `my_file.py:my_recipe`, or nothing for a recipe by name."""
    return name.rpartition(":")[0] if ".py:" in name else ""


def _find(
    name: str,
    known: Mapping[str, Callable[[], Wanted]],
    kinds: tuple[type[Wanted], ...],
) -> Wanted:
    if recipe_file(name):
        return _from_file(name, kinds)
    if name not in known:
        near = difflib.get_close_matches(name, known, n=1)
        hint = f"did you mean {near[0]}?" if near else f"there are {', '.join(known)}."
        raise UserError(f"no recipe {name!r}; {hint} Or name your own: my_file.py:my_recipe")
    return known[name]()


def _from_file(name: str, kinds: tuple[type[Wanted], ...]) -> Wanted:
    file, _, function = name.rpartition(":")
    if not Path(file).is_file():
        raise UserError(f"{file}: no such file for the recipe {name!r}")
    make = getattr(load_python_file(file), function, None)
    if not callable(make):
        raise UserError(f"{file} has no function {function!r}")
    try:
        recipe = make()
    except UserError:
        raise
    except (Exception, SystemExit) as error:
        raise UserError(f"{name} does not run: {type(error).__name__}: {error}") from error
    if not isinstance(recipe, kinds):
        asked = " or ".join(kind.__name__ for kind in kinds)
        raise UserError(f"{name} returned {type(recipe).__name__}, not a {asked}")
    return recipe
