"""What a PyTorch pickle says about its tensors, found by reading it and running none of it.

In: the bytes of `data.pkl`. Out: by tensor name, which storage, dtype, shape and strides it claims.
Never: an import, a call, a comparison or a hash of anything but strings; so code in a pickle,
objects that double with every reference, and shapes larger than their storage end in UserError
before `torch.load` sees them.
"""

import pickletools
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import torch

from herd.foundation import UserError
from herd.model.formats.fields import shorten

STORAGE_DTYPES = {
    "torch.FloatStorage": torch.float32,
    "torch.HalfStorage": torch.float16,
    "torch.BFloat16Storage": torch.bfloat16,
    "torch.DoubleStorage": torch.float64,
    "torch.LongStorage": torch.int64,
    "torch.IntStorage": torch.int32,
    "torch.ShortStorage": torch.int16,
    "torch.CharStorage": torch.int8,
    "torch.ByteStorage": torch.uint8,
    "torch.BoolStorage": torch.bool,
}
REBUILD_TENSOR = "torch._utils._rebuild_tensor_v2"
REBUILD_PARAMETER = "torch._utils._rebuild_parameter"
ORDERED_DICT = "collections.OrderedDict"
ALLOWED_NAMES = {REBUILD_TENSOR, REBUILD_PARAMETER, ORDERED_DICT, *STORAGE_DTYPES}
MAX_DIMENSIONS = 8
MAX_COUNT = 1 << 62


@dataclass(frozen=True, slots=True)
class TensorClaim:
    """One tensor of the pickle: a window into storage `key`, which has `storage_items` items."""

    key: str
    storage_items: int
    dtype: torch.dtype
    shape: tuple[int, ...]


@dataclass(frozen=True, slots=True)
class _Name:
    """A module.attribute the pickle refers to; never looked up."""

    path: str


@dataclass(frozen=True, slots=True)
class _Storage:
    key: str
    items: int
    dtype: torch.dtype


class _Mark:
    """What MARK leaves on the stack."""


def read_claims(path: Path, pickled: bytes) -> dict[str, TensorClaim]:
    """Return the claims of a flat dictionary of tensors.

    Raises UserError when the pickle is damaged, holds code, or is anything else.
    """
    machine = _Machine(path)
    try:
        for opcode, argument, _ in pickletools.genops(pickled):
            machine.step(opcode.name, argument)
        result = machine.stack[-1]
    except UserError:
        raise
    # Damaged pickles fail in any of the ways that indexing and unpacking can fail.
    except Exception as error:
        raise UserError(f"{path} is truncated or damaged ({error}); get it again") from error
    if not isinstance(result, dict):
        raise machine.refuse("its pickle is not a dictionary of tensors")
    for name, claim in result.items():
        if not isinstance(claim, TensorClaim):
            raise machine.refuse(f"{shorten(name)} is a {type(claim).__name__}, not a tensor")
    return result


class _Machine:
    """The subset of pickle's stack machine that `torch.save` uses for dictionaries of tensors."""

    def __init__(self, path: Path) -> None:
        self.path = path
        self.stack: list[Any] = []
        self.memo: dict[int, Any] = {}

    def refuse(self, why: str) -> UserError:
        return UserError(
            f"{self.path}: {why}; Herd loads only plain tensors by name from .pth files, never code"
        )

    def step(self, opcode: str, argument: Any) -> None:
        if opcode in LITERALS:
            self.stack.append(argument)
        elif opcode in CONSTANTS:
            self.stack.append(CONSTANTS[opcode]())
        elif opcode in ACTIONS:
            ACTIONS[opcode](self, argument)
        elif opcode != "STOP" and (opcode, argument) != ("PROTO", 2):
            raise self.refuse(f"its pickle uses {opcode}")

    def pop_to_mark(self) -> list[Any]:
        items = []
        while not isinstance(item := self.stack.pop(), _Mark):
            items.append(item)
        return items[::-1]

    def tuple_of(self, count: int) -> None:
        self.stack[-count:] = [tuple(self.stack[-count:])]

    def name(self, argument: str) -> None:
        path = argument.replace(" ", ".")
        if path not in ALLOWED_NAMES:
            raise self.refuse(f"its pickle would run {shorten(path)}")
        self.stack.append(_Name(path))

    def get(self, argument: Any) -> None:
        self.stack.append(self.memo[int(argument)])

    def put(self, argument: Any) -> None:
        self.memo[int(argument)] = self.stack[-1]

    def set_items(self, pairs: list[Any]) -> None:
        target = self.stack[-1]
        for key, value in zip(pairs[::2], pairs[1::2], strict=True):
            if type(key) is not str:  # the hash of a tuple of tuples may take forever
                raise self.refuse("its pickle has keys that are not strings")
            target[key] = value

    def set_item(self, _: Any) -> None:
        value, key = self.stack.pop(), self.stack.pop()
        self.set_items([key, value])

    def persistent(self, _: Any) -> None:
        kind, storage_type, key, _location, items = self.stack.pop()
        if kind != "storage" or type(key) is not str or not _are_counts((items,)):
            raise self.refuse("its pickle refers to something other than a storage")
        self.stack.append(_Storage(key, items, STORAGE_DTYPES[storage_type.path]))

    def reduce(self, _: Any) -> None:
        arguments, function = self.stack.pop(), self.stack.pop()
        if function.path == ORDERED_DICT:
            if arguments != ():
                raise self.refuse("its pickle fills a dictionary in an unknown way")
            self.stack.append({})
        elif function.path == REBUILD_PARAMETER:
            tensor, _requires_grad, _hooks = arguments
            self.stack.append(tensor)
        elif function.path == REBUILD_TENSOR:
            self.stack.append(self.claim(*arguments[:4]))
        else:
            raise self.refuse(f"its pickle would call {function.path}")

    def claim(self, storage: Any, offset: Any, shape: Any, strides: Any) -> TensorClaim:
        if type(shape) is not tuple or type(strides) is not tuple or len(shape) != len(strides):
            raise self.refuse("its pickle describes a tensor without shape or strides")
        if len(shape) > MAX_DIMENSIONS or not _are_counts((offset, *shape, *strides)):
            raise self.refuse("its pickle describes a tensor with an impossible shape")
        reach = offset + sum((n - 1) * step for n, step in zip(shape, strides, strict=True)) + 1
        if 0 not in shape and reach > storage.items:
            raise self.refuse(f"a tensor of shape {list(shape)} reaches past its storage")
        return TensorClaim(storage.key, storage.items, storage.dtype, shape)

    def build(self, _: Any) -> None:
        self.stack.pop()  # attributes of the dictionary, such as state_dict's `_metadata`
        if type(self.stack[-1]) is not dict:
            raise self.refuse("its pickle sets the state of an object")


def _are_counts(values: tuple[Any, ...]) -> bool:
    return all(type(value) is int and 0 <= value < MAX_COUNT for value in values)


LITERALS = {"BININT", "BININT1", "BININT2", "LONG1", "BINUNICODE", "BINFLOAT"}
CONSTANTS: Mapping[str, Callable[[], Any]] = {
    "NONE": lambda: None,
    "NEWTRUE": lambda: True,
    "NEWFALSE": lambda: False,
    "EMPTY_TUPLE": tuple,
    "EMPTY_DICT": dict,
    "MARK": _Mark,
}
ACTIONS: Mapping[str, Callable[[_Machine, Any], None]] = {
    "TUPLE": lambda machine, _: machine.stack.append(tuple(machine.pop_to_mark())),
    "TUPLE1": lambda machine, _: machine.tuple_of(1),
    "TUPLE2": lambda machine, _: machine.tuple_of(2),
    "TUPLE3": lambda machine, _: machine.tuple_of(3),
    "GLOBAL": _Machine.name,
    "BINGET": _Machine.get,
    "LONG_BINGET": _Machine.get,
    "BINPUT": _Machine.put,
    "LONG_BINPUT": _Machine.put,
    "SETITEM": _Machine.set_item,
    "SETITEMS": lambda machine, _: machine.set_items(machine.pop_to_mark()),
    "BINPERSID": _Machine.persistent,
    "REDUCE": _Machine.reduce,
    "BUILD": _Machine.build,
}
