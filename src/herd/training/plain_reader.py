"""A reader of torch's distributed checkpoints that executes nothing.

In: a checkpoint directory, perhaps somebody else's. Out: its table of contents and tensors.
torch unpickles the table (`.metadata`) without restraint; here only the classes such a table is
made of may appear in it. The tensors themselves torch already loads with `weights_only=True`.
"""

import enum
import pickle
from pathlib import Path
from typing import Any

import torch
from torch.distributed.checkpoint.filesystem import FileSystemReader
from torch.distributed.checkpoint.metadata import Metadata, StorageMeta

from herd.foundation import UserError

TABLE_MODULES = {"torch.distributed.checkpoint.metadata", "torch.distributed.checkpoint.filesystem"}
PLAIN_NAMES = {
    ("torch", "Size"),
    ("torch.serialization", "_get_layout"),
    ("pathlib", "PosixPath"),
    ("pathlib", "WindowsPath"),
    ("pathlib._local", "PosixPath"),
    ("pathlib._local", "WindowsPath"),
    ("builtins", "set"),
    ("collections", "OrderedDict"),
}


class PlainReader(FileSystemReader):
    """torch's reader with a table of contents that may hold data only."""

    def read_metadata(self, *args: Any, **kwargs: Any) -> Metadata:
        """Return the table of contents. Raises UserError when it is absent, torn or holds code."""
        path = Path(self.path) / ".metadata"
        try:
            with path.open("rb") as file:
                metadata = _TableUnpickler(file).load()
        except UserError:
            raise
        except Exception as error:  # a torn pickle can raise nearly anything
            raise UserError(f"{path} is damaged ({type(error).__name__}: {error})") from error
        if not isinstance(metadata, Metadata):
            raise UserError(f"{path} is not the table of a checkpoint")
        if metadata.storage_meta is None:
            metadata.storage_meta = StorageMeta()
        metadata.storage_meta.load_id = self.load_id
        return metadata


class _TableUnpickler(pickle.Unpickler):
    def find_class(self, module: str, name: str) -> Any:
        """Return a class that a table may hold; refuse all else before it runs."""
        if (module, name) == ("builtins", "getattr"):
            return _enum_member  # how some versions of Python write a member of an enum
        is_dtype = module == "torch" and isinstance(getattr(torch, name, None), torch.dtype)
        is_table = module in TABLE_MODULES and "." not in name
        if is_table or is_dtype or (module, name) in PLAIN_NAMES:
            found = super().find_class(module, name)
            if not is_table or (isinstance(found, type) and found.__module__ == module):
                return found
        raise UserError(
            f"refused to run {module}.{name} from a checkpoint's .metadata; it is not a table of "
            "tensors, so do not trust where it came from"
        )


def _enum_member(kind: Any, name: Any) -> Any:
    """Do what `getattr` does for a member of an enum; refuse all else that it could reach."""
    if isinstance(kind, enum.EnumType) and isinstance(name, str) and name in kind.__members__:
        return kind[name]
    raise UserError(
        "refused to run builtins.getattr from a checkpoint's .metadata; it is not a table of tensors, "
        "so do not trust where it came from"
    )
