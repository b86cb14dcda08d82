"""Surveys on disk: a directory a part, an array a file.

In: what a Survey found in a part, and the names of its documents. Out: the columns, mapped from disk.
"""

import json
from collections.abc import Sequence
from pathlib import Path

import numpy as np

from herd.data.stage import Array, Survey

NAMES = "names.json"


def write_survey(survey: Survey, names: Sequence[str], directory: Path) -> None:
    """Write the columns of a survey into a new directory."""
    directory.mkdir(parents=True)
    for name, column in survey.columns().items():
        np.save(directory / f"{name}.npy", np.ascontiguousarray(column), allow_pickle=False)
    (directory / NAMES).write_text(json.dumps(list(names), ensure_ascii=False), encoding="utf-8")


class SurveyFiles:
    """The surveys of all parts, in the order of the parts."""

    def __init__(self, directories: Sequence[Path]) -> None:
        self._directories = tuple(directories)

    @property
    def n_parts(self) -> int:
        """How many parts there are."""
        return len(self._directories)

    def column(self, part: int, name: str) -> Array:
        """Return one column of one part, mapped from disk."""
        path = self._directories[part] / f"{name}.npy"
        column: Array = np.load(path, mmap_mode="r", allow_pickle=False)
        return column

    def names(self, part: int) -> list[str]:
        """Return the names of the documents of a part, in their order."""
        names: list[str] = json.loads((self._directories[part] / NAMES).read_text(encoding="utf-8"))
        return names
