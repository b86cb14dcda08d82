"""Parts of a checkpoint: any nesting of tensors and plain data comes back to the bit, or not at all."""

import json
import math
from dataclasses import replace

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from herd.foundation import UserError
from herd.training import TrainState
from herd.training.saved_parts import put_back, take_apart, tensor_names


class Part:
    def __init__(self, state=None) -> None:
        self.state = state

    def state_dict(self):
        return self.state

    def load_state_dict(self, state) -> None:
        self.state = state


plain = st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False) | st.text(max_size=5)
tensors = st.lists(st.floats(width=32, allow_nan=False), max_size=3).map(torch.tensor)
nested = st.recursive(
    plain | tensors,
    lambda inner: (
        st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=4), inner, max_size=3)
    ),
    max_leaves=12,
)


def same(a, b) -> bool:
    if isinstance(a, torch.Tensor):
        return isinstance(b, torch.Tensor) and torch.equal(a, b) and a.dtype == b.dtype
    if isinstance(a, dict):
        return a.keys() == b.keys() and all(same(a[key], b[key]) for key in a)
    if isinstance(a, list):
        return len(a) == len(b) and all(map(same, a, b))
    return a == b and type(a) is type(b)


@settings(max_examples=60, deadline=None)
@given(st.dictionaries(st.text(max_size=4), nested, max_size=4))
def test_a_state_survives_being_taken_apart_and_json(state) -> None:
    outline, found = take_apart({"watch": Part(state)})
    assert sorted(tensor_names(outline)) == sorted(found)
    part = Part()
    put_back({"watch": part}, json.loads(json.dumps(outline)), found)
    assert same(state, part.state)


def test_numbers_that_are_no_numbers_survive_json_too() -> None:
    outline, found = take_apart({"a": Part({"x": [math.nan, math.inf]})})
    part = Part()
    put_back({"a": part}, json.loads(json.dumps(outline)), found)
    assert math.isnan(part.state["x"][0]) and part.state["x"][1] == math.inf


@pytest.mark.parametrize("state", [{1: 2}, {"x": object()}, {"x": {"y": {3}}}])
def test_what_is_no_plain_data_is_refused_on_saving(state) -> None:
    with pytest.raises(TypeError, match=r"parts\.a"):
        take_apart({"a": Part(state)})


STATE = TrainState(step=3, tokens=96, next_sequence=6)
SAVED = {"window": torch.arange(3, dtype=torch.float64) / 7, "n": 3, "none": torch.zeros(0)}


def test_a_checkpoint_carries_them_to_the_bit(store, make_trainee) -> None:
    part, other = Part(SAVED), Part()
    path = store.save(replace(make_trainee(), parts={"a b": part}), STATE)
    assert store.part_names(path) == {"a b"}
    assert store.load(path, replace(make_trainee(), parts={"a b": other})) == STATE
    assert same(other.state, SAVED)


def test_a_checkpoint_without_them_loads_and_leaves_them(store, make_trainee) -> None:
    path = store.save(make_trainee(), STATE)
    saved = json.loads((path / "state.json").read_text())
    del saved["parts"], saved["state"]["n_rollbacks"]  # as it was before there were any
    (path / "state.json").write_text(json.dumps(saved))
    part = Part({"untouched": True})
    assert store.load(path, replace(make_trainee(), parts={"watch": part})) == STATE
    assert part.state == {"untouched": True}
    assert store.part_names(path) == set()


def test_a_part_that_nobody_asks_for_is_passed_over(store, make_trainee) -> None:
    path = store.save(replace(make_trainee(), parts={"watch": Part(SAVED)}), STATE)
    assert store.load(path, make_trainee()) == STATE


def test_a_tensor_that_the_checkpoint_lacks_is_damage(store, make_trainee) -> None:
    path = store.save(replace(make_trainee(), parts={"a": Part(SAVED)}), STATE)
    text = (path / "state.json").read_text().replace("parts.a.window", "parts.a.lost")
    (path / "state.json").write_text(text)
    with pytest.raises(UserError, match=r"is damaged \(it lacks parts\.a\.lost\)"):
        store.load(path, replace(make_trainee(), parts={"a": Part()}))


def test_a_state_of_another_model_is_one_clear_error(store, make_trainee) -> None:
    from herd.stability import AdamWatch

    trainee = make_trainee()
    watch = AdamWatch(trainee.optimizer, trainee.model)
    path = store.save(replace(trainee, parts={"watch": watch}), STATE)
    state = {**watch.state_dict(), "names": ["elsewhere"]}
    record = json.loads((path / "state.json").read_text())
    record["parts"]["watch"] = state
    (path / "state.json").write_text(json.dumps(record))
    with pytest.raises(UserError, match="state of the watch .* another model") as caught:
        store.load(path, replace(trainee, parts={"watch": watch}))
    assert "\n" not in str(caught.value)
