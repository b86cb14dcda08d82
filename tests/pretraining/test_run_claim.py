"""Whose run a directory is."""

import json
from pathlib import Path

import pytest

from herd.foundation import RunDirectory, UserError
from herd.pretraining.run_claim import SUMMARY_FILE, Claim, claim_run, differences

RECIPE = {"name": "x", "model": {"dim": 8, "layers": [1, 2]}, "stages": ({"rate": 0.1},)}


@pytest.fixture
def run(tmp_path: Path) -> RunDirectory:
    return RunDirectory(tmp_path / "runs" / "x")


@pytest.mark.parametrize("resume", [False, True])
def test_a_new_directory_is_claimed_with_recipe_and_environment(run, resume: bool) -> None:
    assert claim_run(run, RECIPE, resume=resume) is Claim.NEW
    assert json.loads(run.recipe_path.read_text()) == json.loads(json.dumps(RECIPE))
    assert "versions" in json.loads(run.environment_path.read_text())


def test_an_unfinished_run_goes_on_only_when_asked_to(run) -> None:
    claim_run(run, RECIPE, resume=False)
    with pytest.raises(UserError, match="--resume"):
        claim_run(run, RECIPE, resume=False)
    assert claim_run(run, RECIPE, resume=True) is Claim.CONTINUED


@pytest.mark.parametrize("resume", [False, True])
def test_a_finished_run_says_so(run, resume: bool) -> None:
    claim_run(run, RECIPE, resume=False)
    (run.path / SUMMARY_FILE).write_text("{}")
    assert claim_run(run, RECIPE, resume=resume) is Claim.DONE


def test_another_recipe_is_refused_naming_what_differs(run) -> None:
    claim_run(run, RECIPE, resume=False)
    (run.path / "tokenizer").mkdir()
    other = {**RECIPE, "model": {"dim": 16, "layers": [1, 2]}}
    with pytest.raises(UserError, match="another recipe: model.dim was 8, is 16"):
        claim_run(run, other, resume=True)
    assert json.loads(run.recipe_path.read_text())["model"]["dim"] == 8


def test_another_recipe_takes_over_where_nothing_was_made(run) -> None:
    claim_run(run, RECIPE, resume=False)
    other = {**RECIPE, "name": "corrected"}
    assert claim_run(run, other, resume=False) is Claim.NEW
    assert json.loads(run.recipe_path.read_text())["name"] == "corrected"


def test_a_directory_of_other_things_is_left_alone(run) -> None:
    run.path.mkdir(parents=True)
    (run.path / "thesis.tex").write_text("precious")
    with pytest.raises(UserError, match=r"thesis\.tex"):
        claim_run(run, RECIPE, resume=True)
    assert [path.name for path in run.path.iterdir()] == ["thesis.tex"]


@pytest.mark.parametrize(
    ("old", "new", "expected"),
    [
        ({"a": 1}, {"a": 1}, []),
        ({"a": 1}, {"a": 2}, ["a was 1, is 2"]),
        ({"a": [1, 2]}, {"a": [1, 3]}, ["a.1 was 2, is 3"]),
        ({"a": [1]}, {"a": [1, 3]}, ["a was [1], is [1, 3]"]),
        ({"a": {"b": None}}, {"a": {"b": "x"}}, ['a.b was null, is "x"']),
        ({}, {"a": 1}, ["a was null, is 1"]),
    ],
)
def test_differences_are_named_leaf_by_leaf(old, new, expected: list[str]) -> None:
    assert list(differences(old, new)) == expected


def test_an_earlier_versions_run_goes_on_with_the_defaults_of_new_fields(run) -> None:
    from herd.foundation import to_dict, write_json
    from herd.recipes import find_recipe

    recipe = to_dict(find_recipe("tiny"))
    claim_run(run, recipe, resume=False)
    earlier = {**recipe, "initial": dict(recipe["initial"])}
    for name in ("watch_every_steps", "interventions", "rollback"):
        del earlier["initial"][name]
    write_json(run.recipe_path, earlier)
    (run.path / "tokenizer").mkdir()
    assert claim_run(run, recipe, resume=True) is Claim.CONTINUED
    other = {**recipe, "initial": {**recipe["initial"], "watch_every_steps": 1}}
    with pytest.raises(UserError, match=r"initial.watch_every_steps was 10, is 1"):
        claim_run(run, other, resume=True)
