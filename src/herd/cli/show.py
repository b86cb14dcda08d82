"""`herd show`: a recipe, resolved, for people or programs."""

import json
from typing import Annotated, Any

import typer


def show(
    recipe: Annotated[
        str | None,
        typer.Argument(help="A recipe's name or my_file.py:my_recipe; none lists them."),
    ] = None,
    overrides: Annotated[
        list[str] | None,
        typer.Option("--set", metavar="FIELD=VALUE", help="Change one field; may be repeated."),
    ] = None,
    as_json: Annotated[bool, typer.Option("--json", help="Print JSON for a program.")] = False,
) -> None:
    """Print a recipe, resolved."""
    from herd.data import CurationRecipe
    from herd.foundation import apply_override, to_dict
    from herd.recipes import find_any_recipe

    if recipe is None:
        _list_recipes(as_json)
        return
    resolved = find_any_recipe(recipe)
    for override in overrides or []:
        resolved = apply_override(resolved, override)
    values = to_dict(resolved)
    if isinstance(resolved, CurationRecipe):  # its stages go by name
        values["stages"] = {stage.name: to_dict(stage) for stage in resolved.stages}
    if as_json:
        print(json.dumps(values, indent=2))
        return
    for name, value in _flat(values):
        print(f"{name:<44} {value}")


def _list_recipes(as_json: bool) -> None:
    from herd.foundation import format_count
    from herd.model import parameter_count
    from herd.recipes import CURATIONS, RECIPES

    recipes = {name: make() for name, make in RECIPES.items()}
    if as_json:
        print(json.dumps({name: parameter_count(r.model) for name, r in recipes.items()}, indent=2))
        return
    for name, recipe in recipes.items():
        size = format_count(parameter_count(recipe.model))
        tokens = format_count(recipe.initial.loop.horizon_tokens)
        print(f"{name:<12} {size:>6} parameters {tokens:>6} tokens   {recipe.source}")
    for name, make in CURATIONS.items():
        print(f"{name:<12} {len(make().stages):>6} stages for herd data curate")


def _flat(values: Any, prefix: str = "") -> list[tuple[str, str]]:
    """Return dotted names, as `--set` takes them, with their values."""
    children = values.items() if isinstance(values, dict) else enumerate(values)
    rows: list[tuple[str, str]] = []
    for name, value in children:
        nested = isinstance(value, dict | list) and bool(value)
        rows += (
            _flat(value, f"{prefix}{name}.")
            if nested
            else [(f"{prefix}{name}", json.dumps(value, ensure_ascii=False))]
        )
    return rows
