"""State that a checkpoint carries besides model and optimizer: of a watch, of an intervention.

In: named parts, each with a state of tensors and JSON-able values in any nesting. Out: a JSON-able
outline and the tensors by name; and the same state again from those two.
Never: a pickle, so never an object that is neither a tensor nor plain data.
"""

from collections.abc import Mapping
from typing import Any, Protocol

from torch import Tensor

from herd.foundation import UserError

PREFIX = "parts."
MARK = "__tensor__"  # an outline says {MARK: name} where a tensor stood
PLAIN = (str, int, float, bool, type(None))


class SavedPart(Protocol):
    """Anything whose state goes into the run's checkpoints."""

    def state_dict(self) -> dict[str, Any]:
        """Return tensors, numbers, texts, and lists and dictionaries of them; keys are texts."""

    def load_state_dict(self, state: dict[str, Any]) -> None:
        """Put back what `state_dict` returned. Raises UserError when it is another's."""


Parts = Mapping[str, SavedPart]


def take_apart(parts: Parts) -> tuple[dict[str, Any], dict[str, Tensor]]:
    """Return the outline of all parts and their tensors, named by their place in it."""
    tensors: dict[str, Tensor] = {}
    outline = {
        name: _outline(part.state_dict(), f"{PREFIX}{name}", tensors)
        for name, part in parts.items()
    }
    return outline, tensors


def tensor_names(outline: Any) -> list[str]:
    """Return the names of the tensors that an outline refers to."""
    if isinstance(outline, Mapping):
        if MARK in outline:
            return [outline[MARK]]
        return [name for value in outline.values() for name in tensor_names(value)]
    if isinstance(outline, list):
        return [name for value in outline for name in tensor_names(value)]
    return []


def put_back(parts: Parts, outline: Mapping[str, Any], tensors: Mapping[str, Tensor]) -> None:
    """Load every part that the outline has a state of; the others stay as they are.

    Raises UserError naming the part whose state does not fit.
    """
    for name, part in parts.items():
        if name in outline:
            try:
                part.load_state_dict(_filled(outline[name], tensors))
            except UserError as error:
                raise UserError(f"the saved state of the {name} does not fit: {error}") from error


def _outline(value: Any, where: str, tensors: dict[str, Tensor]) -> Any:
    if isinstance(value, Tensor):
        tensors[where] = value.detach()
        return {MARK: where}
    if isinstance(value, Mapping):
        if not all(isinstance(key, str) for key in value):
            raise TypeError(f"{where}: a saved state's keys must be texts, found {list(value)}")
        return {key: _outline(item, f"{where}.{key}", tensors) for key, item in value.items()}
    if isinstance(value, list | tuple):
        return [_outline(item, f"{where}.{index}", tensors) for index, item in enumerate(value)]
    if isinstance(value, PLAIN):
        return value
    raise TypeError(f"{where}: a saved state cannot hold a {type(value).__name__}")


def _filled(outline: Any, tensors: Mapping[str, Tensor]) -> Any:
    if isinstance(outline, Mapping):
        if MARK in outline:
            return tensors[outline[MARK]]
        return {key: _filled(value, tensors) for key, value in outline.items()}
    if isinstance(outline, list):
        return [_filled(value, tensors) for value in outline]
    return outline
