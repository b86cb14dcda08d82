import json
from dataclasses import dataclass
from enum import Enum

import pytest
from hypothesis import given
from hypothesis import strategies as st

from herd.foundation import UserError, apply_override, from_dict, to_dict


class Decay(Enum):
    COSINE = "cosine"
    LINEAR = "linear"


@dataclass(frozen=True, kw_only=True, slots=True)
class Schedule:
    peak_lr: float
    warmup_tokens: int = 0
    decay: Decay = Decay.COSINE

    def __post_init__(self) -> None:
        if self.peak_lr <= 0:
            raise UserError(f"peak_lr must be positive, found {self.peak_lr}")


@dataclass(frozen=True, kw_only=True, slots=True)
class Stage:
    name: str
    schedule: Schedule
    clip: float | None = 1.0
    ramp: tuple[tuple[int, int], ...] = ()


@dataclass(frozen=True, kw_only=True, slots=True)
class Recipe:
    stages: tuple[Stage, ...]
    sources: tuple[str, ...] = ()
    compiled: bool = False


RECIPE = Recipe(
    stages=(
        Stage(name="initial", schedule=Schedule(peak_lr=3e-4), ramp=((0, 4), (100, 8))),
        Stage(name="anneal", schedule=Schedule(peak_lr=1e-4, decay=Decay.LINEAR), clip=None),
    ),
    sources=("a.txt",),
)


def test_a_config_survives_json() -> None:
    assert from_dict(Recipe, json.loads(json.dumps(to_dict(RECIPE)))) == RECIPE


@given(
    st.floats(min_value=1e-30, max_value=1e30),
    st.integers(min_value=0),
    st.sampled_from(Decay),
    st.text(),
    st.one_of(st.none(), st.floats(allow_nan=False)),
)
def test_any_config_survives_json(
    lr: float, warmup: int, decay: Decay, name: str, clip: float | None
) -> None:
    schedule = Schedule(peak_lr=lr, warmup_tokens=warmup, decay=decay)
    stage = Stage(name=name, schedule=schedule, clip=clip)
    assert from_dict(Stage, json.loads(json.dumps(to_dict(stage)))) == stage


@pytest.mark.parametrize(
    ("assignment", "read"),
    [
        ("stages.0.schedule.peak_lr=1e-3", lambda r: r.stages[0].schedule.peak_lr == 1e-3),
        ("stages.0.schedule.peak_lr=1", lambda r: r.stages[0].schedule.peak_lr == 1.0),
        ("stages.1.schedule.decay=cosine", lambda r: r.stages[1].schedule.decay is Decay.COSINE),
        (
            "stages.1.schedule.warmup_tokens=2_000",
            lambda r: r.stages[1].schedule.warmup_tokens == 2000,
        ),
        (
            "stages.1.schedule.warmup_tokens=1e6",
            lambda r: r.stages[1].schedule.warmup_tokens == 10**6,
        ),
        ("stages.0.clip=none", lambda r: r.stages[0].clip is None),
        ("stages.0.name=12", lambda r: r.stages[0].name == "12"),
        ("compiled=true", lambda r: r.compiled is True),
        ('sources=["b.txt", "c.txt"]', lambda r: r.sources == ("b.txt", "c.txt")),
        ("sources.0=d=e.txt", lambda r: r.sources == ("d=e.txt",)),
        ("stages.0.ramp=[[0, 2]]", lambda r: r.stages[0].ramp == ((0, 2),)),
    ],
)
def test_an_override_changes_one_value_with_its_type(assignment: str, read) -> None:
    changed = apply_override(RECIPE, assignment)
    assert read(changed)
    assert changed != RECIPE or "peak_lr=3e-4" in assignment


@pytest.mark.parametrize(
    ("assignment", "message"),
    [
        ("stages.0.schedule.peek_lr=1", "did you mean peak_lr"),
        ("stages.2.name=x", "index from 0 to 1"),
        ("stages.0.schedule.peak_lr=fast", "cannot read 'fast' as float"),
        ("stages.0.schedule.warmup_tokens=1.5", "expected int"),
        ("stages.0.schedule.decay=square", "one of cosine, linear"),
        ("stages.0.schedule.peak_lr=-1", "must be positive"),
        ("compiled=1", "expected bool"),
        ("compiled", "name.of.field=value"),
        ("compiled.x=1", "nothing below"),
    ],
)
def test_a_wrong_override_is_explained(assignment: str, message: str) -> None:
    with pytest.raises(UserError, match=message):
        apply_override(RECIPE, assignment)


@pytest.mark.parametrize(
    ("data", "message"),
    [
        ({"stages": [], "colour": 1}, "unknown field 'colour'"),
        ({}, "field 'stages' of Recipe is missing"),
        ({"stages": 3}, "config.stages: expected"),
        (
            {"stages": [{"name": "a", "schedule": {"peak_lr": "x"}}]},
            r"config.stages.0.schedule.peak_lr",
        ),
        ([], "expected fields of Recipe"),
    ],
)
def test_a_wrong_file_is_explained(data: object, message: str) -> None:
    with pytest.raises(UserError, match=message):
        from_dict(Recipe, data)
