"""Finished experiments on disk: Markdown, CSV, JSON and drawings, each file whole or absent.

In: `ExperimentResult`s, one at a time, and an output directory. Out: `RESULTS.md`, `results.json`,
`NAME-TABLE.csv`, `NAME-DRAWING.svg`. An experiment that ran before and is not run again keeps its
place.
"""

import csv
import io
import math
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from herd.foundation import (
    UserError,
    describe_environment,
    format_seconds,
    read_json,
    to_dict,
    write_json,
    write_text,
)
from herd.stability.reproduction.figure_style import as_svg
from herd.stability.reproduction.intervals import Estimate
from herd.stability.reproduction.result import Cell, Check, ExperimentResult, Table

MEASURES = ("mean", "low", "high", "n")


def write_results(result: ExperimentResult, out: Path) -> None:
    """Write one experiment's files into `out` and bring the common files up to date.

    Raises UserError when `out` cannot be written, or holds a `results.json` that is not ours.
    """
    for table in result.tables:
        write_text(out / f"{result.name}-{table.name}.csv", table_as_csv(table))
    for drawing in result.drawings:
        svg = as_svg(drawing.draw(), f"{result.name}-{drawing.name}")
        write_text(out / f"{result.name}-{drawing.name}.svg", svg)
    results = _earlier(out / "results.json")
    results["environment"] = describe_environment()
    results["experiments"][result.name] = result_as_json(result)
    results["experiments"] = dict(sorted(results["experiments"].items()))
    write_json(out / "results.json", results)
    sections = {name: section["markdown"] for name, section in results["experiments"].items()}
    write_text(out / "RESULTS.md", _markdown(sections))


def result_as_json(result: ExperimentResult) -> dict[str, Any]:
    """Return the experiment as JSON-able values, with its section of `RESULTS.md`."""
    return {
        "question": result.question,
        "conclusion": result.conclusion,
        "seconds": round(result.seconds, 1),
        "seeds": list(result.seeds),
        "checks": [to_dict(check) for check in result.checks],
        "tables": {
            table.name: {
                "caption": table.caption,
                "columns": list(table.columns),
                "rows": [[_json_cell(cell) for cell in row] for row in table.rows],
            }
            for table in result.tables
        },
        "markdown": section_as_markdown(result),
    }


def section_as_markdown(result: ExperimentResult) -> str:
    """Return the experiment's section: question, conclusion, drawings, checks, tables."""
    n_seeds = len(result.seeds)
    seeds = f"{n_seeds} seed{'s' if n_seeds != 1 else ''}" if n_seeds else "no randomness"
    parts = [
        f"## {result.name}",
        f"**Question.** {result.question}",
        f"**Conclusion.** {result.conclusion}",
        f"{result.n_held} of {len(result.checks)} checks hold; {seeds}; "
        f"{format_seconds(result.seconds)}.",
        *(
            f"![{drawing.caption}]({result.name}-{drawing.name}.svg)\n\n*{drawing.caption}*"
            for drawing in result.drawings
        ),
        "### Checks",
        _check_table(result.checks),
        *(f"### {table.caption}\n\n{table_as_markdown(table)}" for table in result.tables),
    ]
    return "\n\n".join(parts) + "\n"


def table_as_markdown(table: Table) -> str:
    """Return a Markdown table; a measured cell shows its mean and interval."""
    rows = [[_escape(_readable(cell)) for cell in row] for row in table.rows]
    return _markdown_table(table.columns, rows)


def table_as_csv(table: Table) -> str:
    """Return CSV text; a column that holds measured cells becomes four: mean, low, high and n."""
    measured = [
        any(isinstance(row[i], Estimate) for row in table.rows) for i in range(len(table.columns))
    ]
    buffer = io.StringIO()
    writer = csv.writer(buffer, lineterminator="\n")
    header: list[str] = []
    for name, wide in zip(table.columns, measured, strict=True):
        header += [name, *(f"{name} {what}" for what in MEASURES[1:])] if wide else [name]
    writer.writerow(header)
    for row in table.rows:
        cells: list[Any] = []
        for cell, wide in zip(row, measured, strict=True):
            if isinstance(cell, Estimate):
                cells += [f"{getattr(cell, what):.6g}" for what in MEASURES]
            else:
                cells += [_plain(cell), *([""] * 3 if wide else [])]
        writer.writerow(cells)
    return buffer.getvalue()


def _check_table(checks: tuple[Check, ...]) -> str:
    rows = [
        [check.name, check.expected, check.measured, "yes" if check.holds else "**no**"]
        for check in checks
    ]
    cells = [[_escape(cell) for cell in row] for row in rows]
    return _markdown_table(("check", "expected", "measured", "holds"), cells)


def _markdown_table(columns: tuple[str, ...], rows: list[list[str]]) -> str:
    head = "| " + " | ".join(_escape(name) for name in columns) + " |"
    line = "|" + "---|" * len(columns)
    return "\n".join([head, line, *("| " + " | ".join(row) + " |" for row in rows)])


def _markdown(sections: Mapping[str, str]) -> str:
    intro = (
        "# Adam's instability, reproduced\n\n"
        "Written by `herd stability reproduce`. Brackets are 95 % confidence intervals over seeds: "
        "Student's t for means, Wilson's for shares. Conclusions are put together from the checks; a "
        "check that fails is a finding, and stands in the conclusion.\n"
    )
    return "\n".join([intro, *sections.values()])


def _earlier(path: Path) -> dict[str, Any]:
    if not path.exists():
        return {"experiments": {}}
    results = read_json(path)
    if not isinstance(results, dict) or not isinstance(results.get("experiments"), dict):
        raise UserError(
            f"{path} is no file of `herd stability reproduce`; choose another directory"
        )
    return results


def _readable(cell: Cell) -> str:
    if isinstance(cell, Estimate):
        if not math.isfinite(cell.mean):
            return "-"
        if not math.isfinite(cell.low):
            return _number(cell.mean)
        return f"{_number(cell.mean)} [{_number(cell.low)}, {_number(cell.high)}]"
    if isinstance(cell, bool):
        return "yes" if cell else "**no**"
    if isinstance(cell, float):
        return _number(cell) if math.isfinite(cell) else "-"
    return "" if cell is None else str(cell)


def _number(value: float) -> str:
    return "0" if value == 0 else f"{value:.3g}"


def _plain(cell: Cell) -> str:
    if isinstance(cell, float):
        return f"{cell:.6g}"
    return "" if cell is None else str(cell)


def _json_cell(cell: Cell) -> Any:
    if isinstance(cell, Estimate):
        return {what: _json_number(getattr(cell, what)) for what in MEASURES}
    return _json_number(cell) if isinstance(cell, float) else cell


def _json_number(value: float) -> float | None:
    return value if math.isfinite(value) else None


def _escape(text: str) -> str:
    return text.replace("|", "\\|").replace("\n", " ")
