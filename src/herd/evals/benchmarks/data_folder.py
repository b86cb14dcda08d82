"""The files of benchmarks, as published, in one directory.

JSON lines, JSON arrays, CSV, TSV and plain text, compressed or in a zip.
In: a directory. Out: rows, made into documents by a converter. Never: a malformed row passed over in
silence: each is named, with the reason, and counted.
"""

from __future__ import annotations

import bz2
import contextlib
import csv
import gzip
import io
import json
import lzma
import zipfile
import zlib
from collections.abc import Callable, Iterable, Iterator, Mapping
from pathlib import Path
from typing import Any

from herd.foundation import UserError

Row = Mapping[str, Any]
Doc = dict[str, Any]
OPENERS: dict[str, Callable[..., Any]] = {".gz": gzip.open, ".bz2": bz2.open, ".xz": lzma.open}
BROKEN = (
    OSError, EOFError, zlib.error, lzma.LZMAError, zipfile.BadZipFile,
    RuntimeError, NotImplementedError,  # a zip with a password, packed by a method of tomorrow
)  # fmt: skip
MAX_FIELD_CHARS = 16 << 20
MALFORMED = (KeyError, IndexError, ValueError, TypeError, AttributeError, OverflowError)


class DataFolder:
    """`malformed` lists what could not be read, as `file, row 12: why`."""

    def __init__(self, directory: Path | str | None) -> None:
        self.directory = None if directory is None else Path(directory)
        self.malformed: list[str] = []
        if self.directory is not None and not self.directory.is_dir():
            raise UserError(f"--data {directory}: no such directory")

    def find(self, name: str) -> Path:
        """Return the file of this name, anywhere below. Raises UserError when there is none."""
        if self.directory is None:
            raise UserError(f"{name} is needed: give the directory that holds it with --data")
        direct = self.directory / name
        if direct.is_file():
            return direct
        found = sorted(self.directory.rglob(Path(name).name))
        matching = [one for one in found if one.as_posix().endswith("/" + name) and one.is_file()]
        if not matching:
            raise UserError(f"there is no file {name} in {self.directory} or below")
        return min(matching, key=lambda one: (len(one.parts), one))

    def docs(self, name: str, convert: Callable[[Row], Doc]) -> list[Doc]:
        """Return a document for each row of a file that `convert` can make something of.

        Raises UserError for a file that is missing, damaged or without one good row.
        """
        return self._converted(self._rows(name), name, convert)

    def member_docs(self, archive: str, member: str, convert: Callable[[Row], Doc]) -> list[Doc]:
        """Do as `docs` for a file inside a zip; its CSV has no header, columns are `0`, `1`, ..."""
        path = self.find(archive)
        with _explained(path), zipfile.ZipFile(path) as opened:
            names = [one for one in opened.namelist() if one.endswith("/" + member)]
            if not names:
                raise UserError(f"{path} holds no {member}")
            text = opened.read(names[0]).decode("utf-8")
            rows = [
                {str(i): cell for i, cell in enumerate(row)} for row in _csv_rows(io.StringIO(text))
            ]
        return self._converted(enumerate(rows, 1), member, convert)

    def member_text(self, archive: str, member: str) -> str:
        """Return one file of a zip as text."""
        path = self.find(archive)
        with _explained(path), zipfile.ZipFile(path) as opened:
            names = [one for one in opened.namelist() if one.endswith("/" + member)]
            if not names:
                raise UserError(f"{path} holds no {member}")
            return opened.read(names[0]).decode("utf-8", errors="replace")

    def lines(self, name: str) -> list[str]:
        """Return the lines of a text file, without their ends."""
        path = self.find(name)
        with _explained(path), _open(path) as file:
            return [line.rstrip("\n") for line in file]

    def _converted(
        self, rows: Iterable[tuple[int, Any]], name: str, convert: Callable[[Row], Doc]
    ) -> list[Doc]:
        docs, n_rows = [], 0
        for number, row in rows:
            n_rows += 1
            try:
                if isinstance(row, Exception):
                    raise row
                doc = convert(row)
                json.dumps(doc, ensure_ascii=False).encode()  # half a surrogate pair is no text
                docs.append(doc)
            except MALFORMED as error:
                self.malformed.append(f"{name}, row {number}: {_reason(error)}")
        if not docs:
            why = f"; {self.malformed[-1]}" if n_rows else ""
            raise UserError(f"{name}: not one of {n_rows} rows can be used{why}")
        return docs

    def _rows(self, name: str) -> Iterator[tuple[int, Any]]:
        path = self.find(name)
        kind = Path(path.name.removesuffix(_compression(path))).suffix
        with _explained(path), _open(path) as file:
            if kind == ".csv":
                yield from enumerate(csv.DictReader(file), 1)
            elif kind == ".tsv":
                columns = (line.rstrip("\n").split("\t") for line in file)
                yield from enumerate(({str(i): c for i, c in enumerate(r)} for r in columns), 1)
            elif kind == ".json":
                yield from enumerate(json.load(file), 1)
            else:
                for number, line in enumerate(file, 1):
                    if line.strip():
                        yield number, _json_row(line)


class FirstFile(DataFolder):
    """Reads nothing: `name` is the file that a benchmark asks for first, "" for none."""

    def __init__(self) -> None:
        super().__init__(None)
        self.name = ""

    def find(self, name: str) -> Path:
        """Note the name. Raises UserError, for there is no file."""
        self.name = self.name or name
        raise UserError(f"{name} is not read here")


def _json_row(line: str) -> Any:
    try:
        row = json.loads(line)
    except (ValueError, RecursionError) as error:
        return ValueError(f"no JSON ({error})")
    return row if isinstance(row, dict) else TypeError("no JSON object")


def _csv_rows(file: io.StringIO) -> Iterator[list[str]]:
    csv.field_size_limit(MAX_FIELD_CHARS)
    yield from csv.reader(file)


def _reason(error: Exception) -> str:
    return f"no field {error}" if isinstance(error, KeyError) else str(error)[:120]


def _compression(path: Path) -> str:
    return path.suffix if path.suffix in OPENERS else ""


def _open(path: Path) -> Any:
    opener = OPENERS.get(path.suffix, open)
    return opener(path, "rt", encoding="utf-8", newline="" if ".csv" in path.name else None)


@contextlib.contextmanager
def _explained(path: Path) -> Iterator[None]:
    """Turn a damaged file into one line that names it."""
    try:
        yield
    except UserError:
        raise
    except (*BROKEN, csv.Error, ValueError) as error:
        raise UserError(f"{path}: damaged or truncated ({error})") from error
