"""Checkpoints: what goes in comes out to the bit; damage and strangers are refused."""

import os
import pickle
import resource
from dataclasses import replace
from pathlib import Path

import pytest
import torch

from herd.foundation import UserError
from herd.training import CheckpointStore, Trainee, TrainState


def trained(trainee: Trainee, source, loss_for) -> Trainee:
    """Give the optimizer some state."""
    from herd.training import Precision, train_step

    for first in range(3):
        train_step(
            trainee.optimizer,
            [source.batch(first, 2)],
            loss_for(trainee.model),
            learning_rate=1e-2,
            clip_norm=1.0,
            precision=Precision.FLOAT32,
            device=trainee.device,
        )
    return trainee


@pytest.fixture
def trainee(make_trainee, source, loss_for) -> Trainee:
    return trained(make_trainee(), source, loss_for)


STATE = TrainState(step=3, tokens=96, next_sequence=6)


def test_everything_comes_back_to_the_bit(store, trainee, make_trainee) -> None:
    torch.manual_seed(5)
    path = store.save(trainee, STATE)
    expected_draw = torch.rand(3)
    other = make_trainee(seed=1)
    torch.manual_seed(99)
    assert store.load(path, other) == STATE
    for name, value in trainee.model.state_dict().items():
        assert torch.equal(other.model.state_dict()[name], value), name
    ours, theirs = trainee.optimizer.state_dict(), other.optimizer.state_dict()
    assert ours["state"].keys() == theirs["state"].keys()
    for index, entries in ours["state"].items():
        assert entries.keys() == theirs["state"][index].keys() == {"step", "exp_avg", "exp_avg_sq"}
        for key, value in entries.items():
            assert torch.equal(theirs["state"][index][key], value)
    assert torch.equal(torch.rand(3), expected_draw)


def test_a_tied_embedding_stays_tied(store, trainee, make_trainee) -> None:
    other = make_trainee(seed=1)
    store.load(store.save(trainee, STATE), other)
    assert other.model.output_weight_VD is other.model.embedding.weight


def test_only_the_last_are_kept(store, trainee) -> None:
    for step in range(1, 6):
        store.save(trainee, replace(STATE, step=step))
    assert [path.name for path in store.paths()] == ["step-00000004", "step-00000005"]
    assert sorted(os.listdir(store.directory)) == ["step-00000004", "step-00000005"]


def test_steps_are_ordered_as_numbers(store, trainee) -> None:
    for step in (99_999_999, 100_000_000):
        store.save(trainee, replace(STATE, step=step))
    assert store.latest() == store.directory / "step-100000000"


def test_an_unfinished_checkpoint_is_never_the_latest_and_is_cleared(store, trainee) -> None:
    path = store.save(trainee, STATE)
    unfinished = store.directory / ".step-00000009.partial-x"
    unfinished.mkdir()
    (unfinished / "state.json").write_text("{}")
    assert store.latest() == path
    store.remove_unfinished()
    assert os.listdir(store.directory) == [path.name]


def test_a_full_disk_leaves_the_last_good_checkpoint(store, trainee) -> None:
    """The kernel itself refuses to let a file grow beyond 8 KiB, as a full disk would."""
    good = store.save(trainee, STATE)
    soft, hard = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (8192, hard))
    try:
        with pytest.raises(UserError, match="no space left.*last good checkpoint: .*step-00000003"):
            store.save(trainee, replace(STATE, step=4))
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, (soft, hard))
    assert os.listdir(store.directory) == [good.name]
    assert store.load(good, trainee) == STATE


@pytest.mark.parametrize("name", ["tokenizer", "data"])
def test_another_identity_is_named(store, trainee, name: str) -> None:
    path = store.save(trainee, STATE)
    other = replace(store, identity={**store.identity, name: "other"})
    with pytest.raises(UserError, match=f"another {name} .*now other"):
        other.load(path, trainee)


def test_another_shape_is_named(store, trainee, make_trainee) -> None:
    path = store.save(trainee, STATE)
    other = make_trainee()
    other.model.norm.weight = torch.nn.Parameter(torch.ones(17))
    with pytest.raises(UserError, match=r"holds \[16\] for model.norm.weight.*\[17\]"):
        store.load(path, other)


@pytest.mark.parametrize("part", ["__0_0.distcp", ".metadata", "state.json"])
@pytest.mark.parametrize("damage", ["cut", "removed", "noise"])
def test_damage_is_one_clear_line(store, trainee, part: str, damage: str) -> None:
    path = store.save(trainee, STATE)
    victim = path / part
    content = victim.read_bytes()
    if damage == "removed":
        victim.unlink()
    else:
        victim.write_bytes(content[: len(content) // 2] if damage == "cut" else b"\x80" + b"x" * 99)
    with pytest.raises(UserError) as caught:
        store.load(path, trainee)
    assert str(path) in str(caught.value)
    assert "\n" not in str(caught.value)


class Bomb:
    def __init__(self, path: Path) -> None:
        self.path = path

    def __reduce__(self):
        return (os.mkdir, (str(self.path),))


def test_code_in_a_checkpoints_table_is_not_run(store, trainee, tmp_path) -> None:
    path = store.save(trainee, STATE)
    target = tmp_path / "boom"
    (path / ".metadata").write_bytes(pickle.dumps(Bomb(target)))
    with pytest.raises(UserError, match="refused to run"):
        store.load(path, trainee)
    assert not target.exists()


def test_no_checkpoint_says_so(tmp_path) -> None:
    store = CheckpointStore(directory=tmp_path / "none", keep=1, identity={})
    assert store.latest() is None
    assert store.last_good() == "no checkpoint was saved yet"
