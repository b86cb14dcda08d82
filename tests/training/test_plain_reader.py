"""The table of a checkpoint: what every Python writes into it is read, and nothing of it is run."""

import enum
import pickle
from pathlib import Path
from typing import Any

import pytest
import torch
from torch.distributed.checkpoint.metadata import Metadata, TensorProperties

from herd.foundation import UserError
from herd.training.plain_reader import PlainReader


class ByName:
    """Pickles as `getattr(kind, name)`, as Python 3.11.2 and others write a member of an enum."""

    def __init__(self, kind: Any, name: str) -> None:
        self.kind, self.name = kind, name

    def __reduce__(self) -> Any:
        return getattr, (self.kind, self.name)


def table(path: Path, planner_data: Any) -> PlainReader:
    metadata = Metadata(state_dict_metadata={}, planner_data=planner_data)
    (path / ".metadata").write_bytes(pickle.dumps(metadata))
    return PlainReader(path)


def memory_format_enum() -> type[enum.Enum]:
    state = TensorProperties(dtype=torch.float32).__getstate__()
    return next(type(each) for each in state if isinstance(each, enum.Enum))


def test_a_member_of_the_table_s_enum_is_read_by_name(tmp_path: Path) -> None:
    kind = memory_format_enum()
    name = next(iter(kind.__members__))
    assert table(tmp_path, ByName(kind, name)).read_metadata().planner_data is kind[name]


@pytest.mark.parametrize(
    ("kind", "name"),
    [(memory_format_enum(), "__class__"), (Metadata, "__init__"), (torch.Size, "numel")],
)
def test_getattr_reaches_nothing_else(kind: Any, name: str, tmp_path: Path) -> None:
    with pytest.raises(UserError, match="refused to run"):
        table(tmp_path, ByName(kind, name)).read_metadata()
