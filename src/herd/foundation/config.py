"""Configurations as values: dataclass to JSON and back, and one field changed by its name.

In: frozen dataclasses that hold int, float, str, bool, Enum, None, tuples, dicts of these, and
each other. Out: plain dictionaries, the same dataclasses again, or a copy with one field replaced.
Never: a silent default for a field that was misspelt.
"""

import dataclasses
import difflib
import json
import types
import typing
from collections.abc import Mapping
from enum import Enum
from typing import Any, TypeVar

from herd.foundation.errors import UserError

T = TypeVar("T")


def to_dict(config: Any) -> Any:
    """Return a config as JSON-able values: dictionaries, lists, numbers, strings, None."""
    if dataclasses.is_dataclass(config) and not isinstance(config, type):
        fields = dataclasses.fields(config)
        return {field.name: to_dict(getattr(config, field.name)) for field in fields}
    if isinstance(config, Enum):
        return config.value
    if isinstance(config, tuple | list):
        return [to_dict(item) for item in config]
    if isinstance(config, Mapping):
        return {key: to_dict(value) for key, value in config.items()}
    return config


def from_dict(cls: type[T], data: Any, *, where: str = "config") -> T:
    """Build the dataclass `cls` from what `to_dict` returned.

    Raises UserError naming the field (as a dotted path after `where`) when one is unknown,
    missing, of the wrong type, or refused by the dataclass itself.
    """
    if not isinstance(data, Mapping):
        raise UserError(f"{where}: expected fields of {cls.__name__}, found {_show(data)}")
    hints = typing.get_type_hints(cls)
    fields = {field.name: field for field in dataclasses.fields(cls) if field.init}  # type: ignore[arg-type]
    for name in data:
        if name not in fields:
            raise UserError(f"{where}: unknown field {name!r}{_nearest(name, fields)}")
    values = {
        name: _convert(hints[name], data[name], f"{where}.{name}")
        for name in fields
        if name in data
    }
    for name, field in fields.items():
        if name not in values and _is_required(field):
            raise UserError(f"{where}: field {name!r} of {cls.__name__} is missing")
    return cls(**values)


def apply_override(config: T, assignment: str) -> T:
    """Return a copy of `config` with one field replaced, as in `model.n_layers=4`.

    Items of tuples go by index (`stages.0.horizon_tokens=1000`), or by their `name` where they have
    one (`stages.minhash.threshold=0.7`). The value is read as JSON where
    the field's type asks for it and as plain text for strings; underscores are allowed in numbers.
    Raises UserError when the path does not exist or the value does not fit the field's type.
    """
    path, equals, text = assignment.partition("=")
    if not equals or not path.strip():
        raise UserError(f"--set {assignment!r}: write it as name.of.field=value")
    names = path.strip().split(".")
    return typing.cast(T, _replace(config, type(config), names, text.strip(), path.strip()))


def _replace(value: Any, hint: Any, names: list[str], text: str, path: str) -> Any:
    if not names:
        return _convert(hint, _parse(hint, text, path), path)
    name, rest = names[0], names[1:]
    if dataclasses.is_dataclass(value) and not isinstance(value, type):
        hints = typing.get_type_hints(type(value))
        known = [field.name for field in dataclasses.fields(value)]
        if name not in known:
            kind = type(value).__name__
            raise UserError(
                f"{path}: {kind} has no field {name!r}{_nearest(name, known)}; it has {', '.join(known)}"
            )
        changed = _replace(getattr(value, name), hints[name], rest, text, path)
        return dataclasses.replace(value, **{name: changed})
    if isinstance(value, tuple):
        index = _index(name, value, path)
        item = _replace(value[index], _item_hint(hint, index), rest, text, path)
        return (*value[:index], item, *value[index + 1 :])
    raise UserError(f"{path}: there is nothing below {_show(value)}, so no {name!r}")


def _index(name: str, items: tuple[Any, ...], path: str) -> int:
    named = [one for one in (getattr(item, "name", None) for item in items) if isinstance(one, str)]
    if name in named and len(named) == len(items):
        return named.index(name)
    if not name.isdecimal() or int(name) >= len(items):
        names = f" or one of {', '.join(named)}" if named else ""
        raise UserError(
            f"{path}: expected an index from 0 to {len(items) - 1}{names}, found {name!r}"
        )
    return int(name)


def _item_hint(hint: Any, index: int) -> Any:
    hint = next((option for option in _options(hint) if typing.get_origin(option) is tuple), hint)
    arguments = typing.get_args(hint)
    if len(arguments) == 2 and arguments[1] is Ellipsis:
        return arguments[0]
    return arguments[index] if index < len(arguments) else Any


def _parse(hint: Any, text: str, path: str) -> Any:
    options = _options(hint)
    if type(None) in options and text.lower() in ("none", "null"):
        return None
    wants_text = any(
        option is str or (isinstance(option, type) and issubclass(option, Enum))
        for option in options
    ) or any(typing.get_origin(option) is typing.Literal for option in options)
    if wants_text and not text.startswith('"'):
        return text
    lowered = text.lower() if text.lower() in ("true", "false") else text
    number = lowered.replace("_", "") if lowered[:1] in "+-.0123456789" else lowered
    try:
        return json.loads(number.removeprefix("+"))
    except ValueError:
        pass
    try:
        return float(number)
    except ValueError:
        kind = _name(hint)
        raise UserError(f"{path}: cannot read {text!r} as {kind}") from None


def _convert(hint: Any, value: Any, where: str) -> Any:
    options = _options(hint)
    failures = []
    for option in options:
        try:
            return _convert_one(option, value, where)
        except _MismatchError:
            continue
        except UserError as error:
            failures.append(error)
    if failures:
        raise failures[0]
    raise UserError(f"{where}: expected {_name(hint)}, found {_show(value)}")


class _MismatchError(Exception):
    """The value is not of this type; another member of the union may fit."""


def _convert_one(hint: Any, value: Any, where: str) -> Any:
    origin = typing.get_origin(hint)
    if hint is Any:
        return value
    if hint is type(None):
        return _require(value is None, value)
    if dataclasses.is_dataclass(hint):
        return value if isinstance(value, hint) else from_dict(hint, value, where=where)  # type: ignore[arg-type]
    if origin is typing.Literal:
        return _require(value in typing.get_args(hint), value)
    if origin is tuple:
        return _convert_tuple(hint, value, where)
    if origin in (dict, Mapping) or getattr(origin, "__name__", "") == "Mapping":
        return _convert_mapping(hint, value, where)
    return _convert_scalar(hint, value)


def _convert_tuple(hint: Any, value: Any, where: str) -> tuple[Any, ...]:
    _require(isinstance(value, tuple | list), value)
    arguments = typing.get_args(hint)
    variadic = len(arguments) == 2 and arguments[1] is Ellipsis
    _require(variadic or len(arguments) == len(value), value)
    return tuple(
        _convert(_item_hint(hint, index), item, f"{where}.{index}")
        for index, item in enumerate(value)
    )


def _convert_mapping(hint: Any, value: Any, where: str) -> dict[str, Any]:
    _require(isinstance(value, Mapping), value)
    item_hint = typing.get_args(hint)[1]
    return {str(key): _convert(item_hint, item, f"{where}.{key}") for key, item in value.items()}


def _convert_scalar(hint: Any, value: Any) -> Any:
    if isinstance(hint, type) and issubclass(hint, Enum):
        try:
            return hint(value)
        except ValueError:
            raise _MismatchError from None
    if hint is float:
        _require(isinstance(value, int | float) and not isinstance(value, bool), value)
        return float(value)
    if hint is int:
        if isinstance(value, float) and value.is_integer():
            return int(value)  # 1e6 is how people write a million
        return _require(isinstance(value, int) and not isinstance(value, bool), value)
    return _require(isinstance(hint, type) and isinstance(value, hint), value)


def _require(condition: bool, value: Any) -> Any:
    if not condition:
        raise _MismatchError
    return value


def _options(hint: Any) -> tuple[Any, ...]:
    if typing.get_origin(hint) in (typing.Union, types.UnionType):
        return typing.get_args(hint)
    return (hint,)


def _is_required(field: "dataclasses.Field[Any]") -> bool:
    missing = dataclasses.MISSING
    return field.default is missing and field.default_factory is missing


def _nearest(name: str, known: typing.Iterable[str]) -> str:
    matches = difflib.get_close_matches(name, list(known), n=2)
    return f" (did you mean {' or '.join(matches)}?)" if matches else ""


def _name(hint: Any) -> str:
    literal = next((o for o in _options(hint) if typing.get_origin(o) is typing.Literal), None)
    if literal is not None:
        return "one of " + ", ".join(map(str, typing.get_args(literal)))
    names = []
    for option in _options(hint):
        if isinstance(option, type) and issubclass(option, Enum):
            names.append("one of " + ", ".join(str(member.value) for member in option))
        elif option is type(None):
            names.append("none")
        else:
            names.append(getattr(option, "__name__", str(option)))
    return " or ".join(names)


def _show(value: Any) -> str:
    text = repr(value)
    return text if len(text) <= 60 else text[:57] + "..."
