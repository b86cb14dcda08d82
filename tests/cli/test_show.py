"""`herd show`: for people, and for programs."""

import json

import pytest

from herd.cli.main import run
from herd.foundation import from_dict
from herd.recipes import CURATIONS, RECIPES, Recipe, find_recipe


def test_without_a_name_it_lists_all_recipes(capsys: pytest.CaptureFixture[str]) -> None:
    assert run(["show"]) == 0
    listed = [line.split()[0] for line in capsys.readouterr().out.splitlines()]
    assert listed == [*RECIPES, *CURATIONS]
    assert run(["show", "--json"]) == 0
    assert json.loads(capsys.readouterr().out)["llama3_8b"] == 8_030_261_248


def test_json_reloads_equal_with_its_overrides(capsys: pytest.CaptureFixture[str]) -> None:
    assert run(["show", "tiny", "--set", "initial.seed=7", "--json"]) == 0
    recipe = from_dict(Recipe, json.loads(capsys.readouterr().out))
    assert recipe.initial.seed == 7
    assert recipe.model == find_recipe("tiny").model


def test_every_line_names_a_field_that_set_takes(capsys: pytest.CaptureFixture[str]) -> None:
    assert run(["show", "llama3_8b"]) == 0
    rows = dict(line.split(maxsplit=1) for line in capsys.readouterr().out.splitlines())
    assert rows["model.dim"] == "4096"
    assert rows["initial.loop.batch.1.context"] == "8192"
    assert run(["show", "llama3_8b", "--set", "initial.loop.batch.1.batch_tokens=16_384"]) == 0


def test_a_recipe_of_curation_shows_its_stages_by_the_names_that_set_takes(capsys) -> None:
    assert run(["show", "web", "--set", "stages.minhash.threshold=0.7"]) == 0
    rows = dict(line.split(maxsplit=1) for line in capsys.readouterr().out.splitlines())
    assert rows["stages.minhash.threshold"] == "0.7"
    assert rows["stages.held_out.fraction"] == "0.05"
    assert run(["show", "web", "--set", 'stages.language.keep=["de"]', "--json"]) == 0
    assert json.loads(capsys.readouterr().out)["stages"]["language"]["keep"] == ["de"]


@pytest.mark.parametrize(
    ("arguments", "complaint"),
    [
        (["dmeo"], "did you mean demo"),
        (["tiny", "--set", "model.dimm=3"], "dim"),
        (["web", "--set", "stages.minhsh.threshold=1"], "or one of extract, url"),
        (["tiny", "--set", "model.dim=wide"], "model.dim"),
        (["tiny", "--set", "initial.loop.clip_norm=0"], "clip_norm"),
    ],
)
def test_a_mistake_is_one_line_and_exit_code_2(
    arguments: list[str], complaint: str, capsys: pytest.CaptureFixture[str]
) -> None:
    assert run(["show", *arguments]) == 2
    error = capsys.readouterr().err
    assert complaint in error and error.count("\n") == 1
