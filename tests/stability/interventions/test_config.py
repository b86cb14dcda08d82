"""One switch an intervention: all off by default, through JSON and back, each to its stage."""

import json
from dataclasses import fields, replace

import pytest

from herd.foundation import UserError, from_dict, to_dict
from herd.stability.interventions.config import InterventionConfig
from herd.stability.interventions.response_policy import ResponseConfig

STAGES = {
    "skip_step": ["skip step"],
    "update_clip": ["update clip"],
    "learning_rate_damp": ["learning-rate damp"],
    "cold_guard": ["cold-coordinate guard"],
    "relative_epsilon": ["relative epsilon"],
    "moment_reset": ["moment reset", "SPAM spike clip"],
    "zclip": ["ZClip"],
    "adagc": ["AdaGC"],
    "stable_adamw": ["StableAdamW"],
    "qk_clip": [],
    "z_loss": [],
    "rollback": [],
}


def test_all_is_off_by_default():
    config = InterventionConfig()
    assert not config.any_on and config.optimizer_stages() == []
    assert len(fields(config)) == 12 and {field.name for field in fields(config)} == set(STAGES)


@pytest.mark.parametrize("name", STAGES)
def test_each_switch_brings_its_stages(name):
    value = 0.01 if isinstance(getattr(InterventionConfig(), name), float) else True
    config = replace(InterventionConfig(), **{name: value})
    assert config.any_on
    assert [stage.name for stage in config.optimizer_stages()] == STAGES[name]
    assert from_dict(InterventionConfig, json.loads(json.dumps(to_dict(config)))) == config


def test_only_the_damp_waits_for_alarms():
    assert InterventionConfig(learning_rate_damp=True).response() == ResponseConfig(damp=True)
    assert InterventionConfig(update_clip=True, moment_reset=True).response() == ResponseConfig()


def test_the_ratio_of_relative_epsilon_reaches_its_stage():
    (stage,) = InterventionConfig(relative_epsilon=0.02).optimizer_stages()
    assert stage.config.ratio == 0.02


@pytest.mark.parametrize("name", ["relative_epsilon", "qk_clip", "z_loss"])
@pytest.mark.parametrize("value", [-1.0, float("nan"), float("inf")])
def test_impossible_values_are_refused(name, value):
    with pytest.raises(UserError, match=name):
        InterventionConfig(**{name: value})
