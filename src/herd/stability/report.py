"""The stability report: one HTML page about a watched run, and its section for other reports.

In: the directory of a run, live or finished. Out: `stability.html`, a file with nothing to load, or a
`PageSection` with the same drawings in short.
Never: a change to the run; what cannot be read is counted and said.
"""

from dataclasses import replace
from pathlib import Path

import numpy as np

from herd.foundation import PageSection, UserError, printable, render_page, write_text
from herd.stability.report_advice import HOW_TO_READ
from herd.stability.report_episodes import Episode, find_episodes, first_worst
from herd.stability.report_histograms import MOST_LAYERS, draw_histograms
from herd.stability.report_maps import draw_maps
from herd.stability.report_tables import (
    advice_table,
    episodes_table,
    headline,
    interventions_table,
)
from herd.stability.report_timeline import draw_timeline
from herd.stability.run_reading import RunReading, read_losses, read_run
from herd.stability.verdict import Level
from herd.stability.watch_log import LOG_NAME

PAGE_NAME = "stability.html"
LOSSES = "metrics.jsonl"
BEFORE_STEPS, AFTER_STEPS = 60, 120  # shown around the first alarm
WORTH_ZOOMING = 4  # times that span: a shorter run shows it well enough
MOST_IN_SECTION = 8


def write_stability_report(run: Path | str, out: Path | str | None = None) -> Path:
    """Write the page about a run and return its path, `RUN/stability.html` unless `out` is given.

    Raises UserError when the run has no log, or nothing in it can be read.
    """
    reading = read_run(run)
    episodes = find_episodes(reading)
    path = Path(out) if out is not None else reading.run / PAGE_NAME
    if path.is_dir():
        raise UserError(f"{path} is a directory; give a file for the page")
    page = render_page(
        "herd.stability",
        "report.html.jinja",
        title=f"Stability of {printable(reading.run.resolve().name)}",
        subtitle=_subtitle(reading),
        headline=headline(reading, episodes),
        sections=_sections(reading, episodes),
    )
    write_text(path, page)
    return path


def stability_section(run: Path | str) -> PageSection | None:
    """Return the watch's part of a training report; None for a run that was not watched.

    A log that cannot be read gives a section that says so, since it is no reason to lose the report.
    """
    if not (Path(run) / LOG_NAME).is_file():
        return None
    try:
        reading = read_run(run)
    except UserError as error:
        return PageSection(title="Stability", text=str(error))
    episodes = find_episodes(reading)
    figures = [draw_timeline(reading, read_losses(reading.run / LOSSES)), *draw_maps(reading)]
    tables = [episodes_table(episodes, MOST_IN_SECTION)] if episodes else []
    if reading.interventions:
        tables.append(interventions_table(reading.interventions))
    return PageSection(
        title="Stability",
        text=f"What the watch saw of Adam's update. More: herd stability report {reading.run}",
        cards=headline(reading, episodes),
        figures=figures,
        tables=tables,
    )


def _subtitle(reading: RunReading) -> str:
    first, last = int(reading.step_N[0]), int(reading.step_N[-1])
    state = "finished" if reading.is_done else "not finished when this page was written"
    constants = ", ".join(f"{name} {value:g}" for name, value in reading.constants.items())
    return (
        f"{len(reading.layers)} layers, steps {first:,} to {last:,}, {state}"
        f"{'; ' + constants if constants else ''}"
    )


def _sections(reading: RunReading, episodes: list[Episode]) -> list[PageSection]:
    losses = read_losses(reading.run / LOSSES)
    sections = [
        PageSection(
            title="The run",
            figures=[draw_timeline(reading, losses), *draw_maps(reading)],
        )
    ]
    worst, at = first_worst(reading)
    near = part_of(reading, at - BEFORE_STEPS, at + AFTER_STEPS)
    span = int(reading.step_N[-1] - reading.step_N[0])
    if worst is Level.ALARM and span > WORTH_ZOOMING * (BEFORE_STEPS + AFTER_STEPS):
        timeline = draw_timeline(near, losses, title="Verdicts around the first alarm")
        sections.append(
            PageSection(
                title=f"Around the first alarm, step {at:,}",
                figures=[
                    replace(figure, note="")
                    for figure in (timeline, *draw_maps(near, where=" around the first alarm"))
                ],
            )
        )
    return [*sections, *_what_happened(reading, episodes), _reading_help(episodes)]


def _what_happened(reading: RunReading, episodes: list[Episode]) -> list[PageSection]:
    sections = []
    if shapes := draw_histograms(reading, episodes):
        n_alarmed = len({each.layer for each in episodes if each.worst is Level.ALARM})
        only = f" The first {MOST_LAYERS} are shown." if n_alarmed > MOST_LAYERS else ""
        sections.append(
            PageSection(
                title="Updates of the layers that alarmed",
                text="Filled: coordinates that are awake, sqrt(v) above epsilon; line: all. Dotted: "
                "how far one fresh gradient moves a cold coordinate. One hump is health; two are "
                f"an awakening, or a very clear gradient.{only}",
                figures=shapes,
            )
        )
    nothing = "" if episodes else "Every watched step was OK in every layer."
    tables = [episodes_table(episodes)] if episodes else []
    sections.append(PageSection(title="Episodes", text=nothing, tables=tables))
    done = reading.interventions
    sections.append(
        PageSection(
            title="What was done",
            text="" if done else "Nothing: no intervention was switched on, or none was needed.",
            tables=[interventions_table(done)] if done else [],
        )
    )
    return sections


def _reading_help(episodes: list[Episode]) -> PageSection:
    return PageSection(
        title="How to read this, and what to try first",
        text=HOW_TO_READ,
        tables=[advice_table(episodes)],
    )


def part_of(reading: RunReading, first: int, last: int) -> RunReading:
    """Return the steps from `first` to `last`, both included; at least one must be watched."""
    inside = (reading.step_N >= first) & (reading.step_N <= last)
    assert np.any(inside)
    return replace(
        reading,
        step_N=reading.step_N[inside],
        level_N=reading.level_N[inside],
        level_NL=reading.level_NL[inside],
        columns_NL={name: values[inside] for name, values in reading.columns_NL.items()},
        loss_N=reading.loss_N[inside],
        loss_z_N=reading.loss_z_N[inside],
        interventions=tuple(each for each in reading.interventions if first <= each.step <= last),
    )
