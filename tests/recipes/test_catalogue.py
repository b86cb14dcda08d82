"""Recipes by name and by file, and the wrong ones."""

from pathlib import Path

import pytest

from herd.foundation import UserError, from_dict, to_dict
from herd.recipes import RECIPES, Recipe, find_recipe

MINE = """
from dataclasses import replace
from herd.recipes import find_recipe

def mine():
    return replace(find_recipe("tiny"), name="mine")

def no_recipe():
    return 7

def unlucky():
    return undefined_name
"""


@pytest.fixture
def file(tmp_path: Path) -> Path:
    path = tmp_path / "my_file.py"
    path.write_text(MINE)
    return path


@pytest.mark.parametrize("name", RECIPES)
def test_a_recipe_bears_its_name_and_cites_its_source(name: str) -> None:
    recipe = find_recipe(name)
    assert recipe.name == name
    assert recipe.source


@pytest.mark.parametrize("name", RECIPES)
def test_json_gives_the_same_recipe_back(name: str) -> None:
    import json

    recipe = find_recipe(name)
    assert from_dict(Recipe, json.loads(json.dumps(to_dict(recipe)))) == recipe


def test_a_users_own_recipe_is_run_from_its_file(file: Path) -> None:
    assert find_recipe(f"{file}:mine").name == "mine"


@pytest.mark.parametrize(
    ("name", "complaint"),
    [
        ("dmeo", "did you mean demo"),
        ("zzz", "there are tiny, demo"),
        ("absent.py:recipe", "no such file"),
    ],
)
def test_an_unknown_recipe_is_one_clear_line(name: str, complaint: str) -> None:
    with pytest.raises(UserError, match=complaint):
        find_recipe(name)


def test_a_function_that_is_absent_or_returns_no_recipe_is_named(file: Path) -> None:
    with pytest.raises(UserError, match="no function 'yours'"):
        find_recipe(f"{file}:yours")
    with pytest.raises(UserError, match="returned int, not a Recipe"):
        find_recipe(f"{file}:no_recipe")
    with pytest.raises(UserError, match="unlucky does not run: NameError"):
        find_recipe(f"{file}:unlucky")


def test_a_file_that_does_not_run_says_why(tmp_path: Path) -> None:
    path = tmp_path / "broken.py"
    path.write_text("import absent_module_of_mine\n")
    with pytest.raises(UserError, match="does not run: ModuleNotFoundError"):
        find_recipe(f"{path}:recipe")
    path.write_text("import sys\nsys.exit(0)\n")
    with pytest.raises(UserError, match="does not run: SystemExit"):
        find_recipe(f"{path}:recipe")
    path.write_text("import sys\ndef recipe():\n    sys.exit(0)\n")
    with pytest.raises(UserError, match="does not run: SystemExit"):
        find_recipe(f"{path}:recipe")
