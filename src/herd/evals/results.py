"""The directory of an evaluation: a report a task, its items beside it, and what brings them together.

`tasks/NAME.json`, `items/NAME.jsonl`, `results.json`, `report.html`. Tasks may be added later; what is
there with the same key is not run again.
In: reports and items. Out: the same. Never: two models in one directory; a file half-written.
"""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import asdict
from pathlib import Path

from herd.evals.groups import group_rows
from herd.evals.items import Item, is_item
from herd.evals.report import EvalReport, finite, report_of
from herd.foundation import UserError, atomic_file, describe_environment, read_json, write_json

SUMMARY, PAGE = "results.json", "report.html"


class Results:
    """The results of one model in one directory. Raises UserError if it holds another model's."""

    def __init__(self, directory: Path | str, *, fingerprint: str = "", name: str = "") -> None:
        self.directory = Path(directory)
        if self.directory.exists() and not self.directory.is_dir():
            raise UserError(f"{directory} is no directory; name one for the results with --out")
        for report in self.reports() if fingerprint else []:
            if report.fingerprint != fingerprint:
                raise UserError(
                    f"{directory} holds results of another model ({report.model}), not of {name}: "
                    "choose another directory with --out"
                )

    def reports(self) -> list[EvalReport]:
        """Return the reports that are there, by name of the task."""
        return [self._report(path) for path in sorted((self.directory / "tasks").glob("*.json"))]

    def find(self, task: str, key: str) -> EvalReport | None:
        """Return the report of a task with this key, if it is there with its items."""
        path = self._report_path(task)
        if not path.exists():
            return None
        report = self._report(path)
        return report if report.key == key and self._has_items(report) else None

    def standing(self, task: str) -> str:
        """Return in words what stands there of this task, whatever its key; "" for nothing."""
        path = self._report_path(task)
        if not path.exists():
            return ""
        old = self._report(path)
        chat = ", as dialogs" if old.chat else ""
        return f"an earlier result of {old.n:,} questions, {old.shots} shots{chat}, version {old.version}"

    def items(self, task: str) -> Iterator[Item]:
        """Yield the items of a task. Raises UserError for a damaged file."""
        path = self._items_path(task)
        try:
            with open(path, encoding="utf-8") as file:
                for number, line in enumerate(file, 1):
                    yield _item(line, path, number)
        except OSError as error:
            raise UserError(f"cannot read {path}: {error.strerror}; run the task again") from error
        except UnicodeDecodeError as error:
            raise UserError(f"{path}: damaged ({error}); run the task again") from error

    def add(self, report: EvalReport, items: Sequence[Item]) -> None:
        """Write a task's items and its report, the report last."""
        with atomic_file(self._items_path(report.task)) as partial:
            lines = (json.dumps(item, ensure_ascii=False) for item in items)
            partial.write_text("".join(f"{line}\n" for line in lines), "utf-8")
        write_json(self._report_path(report.task), report.to_json())

    def write_summary(self, model: str, not_run: Mapping[str, str]) -> None:
        """Write `results.json`: all reports, without their prompts, groups, and what was not run."""
        reports = self.reports()
        rows = [report.to_json() | {"prompt": None} for report in reports]
        groups = {name: finite(asdict(found)) for name, found in group_rows(reports).items()}
        there = {report.task for report in reports}
        why = {
            task: f"{reason} (the result here is an earlier run's)" if task in there else reason
            for task, reason in not_run.items()
        }
        summary = {"model": model, "tasks": rows, "groups": groups, "not_run": why}
        write_json(self.directory / SUMMARY, summary | {"environment": describe_environment()})

    def not_run(self) -> dict[str, str]:
        """Return the tasks that the last call could not run, with the reasons."""
        found: dict[str, str] = read_json(self.directory / SUMMARY)["not_run"]
        return found

    def _has_items(self, report: EvalReport) -> bool:
        try:
            return sum(1 for _ in self.items(report.task)) == report.n
        except UserError:  # damaged or gone: it is run again
            return False

    def _report_path(self, task: str) -> Path:
        return self.directory / "tasks" / f"{task}.json"

    def _items_path(self, task: str) -> Path:
        return self.directory / "items" / f"{task}.jsonl"

    def _report(self, path: Path) -> EvalReport:
        values = read_json(path)
        try:
            report = report_of(values)
            if report.task != path.stem:
                raise ValueError(f"its task is {report.task!r}")
        except (KeyError, TypeError, AttributeError, ValueError) as error:
            raise UserError(f"{path} is no report of a task ({error}); remove it") from error
        return report


def _item(line: str, path: Path, number: int) -> Item:
    try:
        item = json.loads(line)
    except (ValueError, RecursionError) as error:
        raise UserError(f"{path}, line {number}: damaged ({error}); run the task again") from error
    if not is_item(item):
        raise UserError(f"{path}, line {number}: no item; run the task again")
    found: Item = item
    return found
