"""Surveys on disk: a directory a part, in it the names, and for each stage a directory with an array a file.

In: what Surveys found in a part, and the names of its documents. Out: the columns, mapped from disk;
the rows of those documents that an earlier stage of the same pass leaves.
"""

import json
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from herd.data.stage import Array, Survey

NAMES = "names.json"


def write_surveys(surveys: Mapping[str, Survey], names: Sequence[str], directory: Path) -> None:
    """Write the columns of each stage's survey of a part into a new directory."""
    for stage, survey in surveys.items():
        _write_columns(survey.columns(), directory / stage)
    _write_names(names, directory)


class SurveyFiles:
    """What one stage asked of all parts, in the order of the parts."""

    def __init__(self, stage: str, directories: Sequence[Path]) -> None:
        self._stage = stage
        self._directories = tuple(directories)

    @property
    def n_parts(self) -> int:
        """How many parts there are."""
        return len(self._directories)

    def column(self, part: int, name: str) -> Array:
        """Return one column of one part, mapped from disk."""
        path = self._directories[part] / self._stage / f"{name}.npy"
        column: Array = np.load(path, mmap_mode="r", allow_pickle=False)
        return column

    def names(self, part: int) -> list[str]:
        """Return the names of the documents of a part, in their order."""
        names: list[str] = json.loads((self._directories[part] / NAMES).read_text(encoding="utf-8"))
        return names


def surviving_surveys(
    directories: Sequence[Path],
    stages: Sequence[str],
    survivors: Callable[[int], NDArray[np.bool_]],
    out: Path,
) -> list[Path]:
    """Write the rows of what survives, for these stages, below `out`; return a directory a part.

    A part in which nothing was dropped is not copied. Holds one column of one part at a time.
    """
    return [
        _surviving(directory, stages, survivors(part), out / f"{part:05d}")
        for part, directory in enumerate(directories)
    ]


def _surviving(directory: Path, stages: Sequence[str], stays: NDArray[np.bool_], out: Path) -> Path:
    if stays.all():
        return directory
    for stage in stages:
        for path in sorted((directory / stage).glob("*.npy")):
            column = np.load(path, mmap_mode="r", allow_pickle=False)
            _write_columns({path.stem: column[stays]}, out / stage)
    names = json.loads((directory / NAMES).read_text(encoding="utf-8"))
    _write_names([name for name, stay in zip(names, stays, strict=True) if stay], out)
    return out


def _write_columns(columns: Mapping[str, Array], directory: Path) -> None:
    directory.mkdir(parents=True, exist_ok=True)
    for name, column in columns.items():
        np.save(directory / f"{name}.npy", np.ascontiguousarray(column), allow_pickle=False)


def _write_names(names: Sequence[str], directory: Path) -> None:
    directory.mkdir(parents=True, exist_ok=True)
    (directory / NAMES).write_text(json.dumps(list(names), ensure_ascii=False), encoding="utf-8")
