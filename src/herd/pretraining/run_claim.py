"""Whose run a directory is: new, to be continued, done, or somebody else's.

In: a run directory and the resolved recipe as plain values. Out: what to do with it.
Never: a run that goes on under another recipe than it was started with.
"""

import json
from collections.abc import Iterator, Mapping
from enum import Enum
from typing import Any

from herd.foundation import (
    RunDirectory,
    UserError,
    describe_environment,
    from_dict,
    read_json,
    to_dict,
    write_json,
)
from herd.pretraining.initial_config import InitialConfig

SUMMARY_FILE = "summary.json"  # written last: its presence says that the run is done
SHOWN_DIFFERENCES = 3
OURS_BEFORE_THE_RECIPE = {".lock", "log.txt"}
OURS_BEFORE_THE_WORK = OURS_BEFORE_THE_RECIPE | {"environment.json", "recipe.json"}


class Claim(Enum):
    """What a run directory turned out to be."""

    NEW = "new"
    CONTINUED = "continued"
    DONE = "done"


def claim_run(run: RunDirectory, recipe: Mapping[str, Any], *, resume: bool) -> Claim:
    """Return what to do in a run directory; write recipe and environment into a new one.

    Raises UserError when the directory holds another recipe's run (naming what differs), an
    unfinished run and `resume` is False, or files that are no run.
    """
    if not run.recipe_path.exists():
        _refuse_foreign_files(run)
        write_json(run.environment_path, describe_environment())
        write_json(run.recipe_path, recipe)
        return Claim.NEW
    if found := _changes(run, recipe):
        _refuse_if_begun(run, found)
        write_json(run.recipe_path, recipe)
        return Claim.NEW
    if (run.path / SUMMARY_FILE).exists():
        return Claim.DONE
    if not resume:
        raise UserError(
            f"{run.path} holds a run that is not finished; add --resume to go on with it, or "
            "--out for another directory"
        )
    return Claim.CONTINUED


def differences(old: Any, new: Any, where: str = "") -> Iterator[str]:
    """Yield one phrase for each leaf in which two JSON values differ."""
    if isinstance(old, Mapping) and isinstance(new, Mapping):
        for name in sorted({*old, *new}):
            path = f"{where}.{name}" if where else name
            yield from differences(old.get(name), new.get(name), path)
    elif isinstance(old, list) and isinstance(new, list) and len(old) == len(new):
        for index, (before, after) in enumerate(zip(old, new, strict=True)):
            yield from differences(before, after, f"{where}.{index}")
    elif old != new:
        yield f"{where} was {json.dumps(old)}, is {json.dumps(new)}"


def _changes(run: RunDirectory, recipe: Mapping[str, Any]) -> list[str]:
    # Through JSON, where tuples are lists, as the saved one went.
    saved = _with_new_fields(read_json(run.recipe_path))
    return list(differences(saved, json.loads(json.dumps(recipe))))


def _with_new_fields(recipe: Any) -> Any:
    """Return a recipe of an earlier version with the defaults of fields that it did not have."""
    try:
        return {**recipe, "initial": to_dict(from_dict(InitialConfig, recipe["initial"]))}
    except (UserError, KeyError, TypeError):
        return recipe


def _refuse_if_begun(run: RunDirectory, found: list[str]) -> None:
    """Another recipe may take a directory over in which a first, mistaken one made nothing yet."""
    if any(path.name not in OURS_BEFORE_THE_WORK for path in run.path.iterdir()):
        more = len(found) - SHOWN_DIFFERENCES
        rest = f" and {more} more" if more > 0 else ""
        raise UserError(
            f"{run.path} was started with another recipe: {'; '.join(found[:SHOWN_DIFFERENCES])}"
            f"{rest}. Go on with the old one, or choose another directory with --out"
        )


def _refuse_foreign_files(run: RunDirectory) -> None:
    if not run.path.is_dir():
        return
    foreign = sorted({path.name for path in run.path.iterdir()} - OURS_BEFORE_THE_RECIPE)
    foreign = [
        name for name in foreign if name != run.environment_path.name and ".partial-" not in name
    ]
    if foreign:
        raise UserError(
            f"{run.path} holds files that are no run ({', '.join(foreign[:3])}); choose an empty "
            "or new directory with --out"
        )
