"""The words of a stability report: headline, episodes, what was done, how to read it.

In: a `RunReading` and its episodes. Out: cards and tables for a page.
"""

from collections.abc import Mapping, Sequence
from typing import Any

from herd.foundation import Badge, PageTable, printable
from herd.stability.log_line import Intervention
from herd.stability.report_advice import ADVICE
from herd.stability.report_episodes import Episode, first_worst, lead_steps
from herd.stability.run_reading import RunReading
from herd.stability.verdict import Level

MOST_EPISODES, MOST_INTERVENTIONS = 60, 100
MOST_CHARS, MOST_NAME_CHARS = 400, 80
BADGES = {
    Level.OK: Badge(text="OK", tone="good"),
    Level.RECOVERY: Badge(text="RECOVERY", tone="calm"),
    Level.WATCH: Badge(text="WATCH", tone="warn"),
    Level.ALARM: Badge(text="ALARM", tone="bad"),
}


def headline(reading: RunReading, episodes: Sequence[Episode]) -> dict[str, str]:
    """Return the cards on top: label to value."""
    worst, worst_at = first_worst(reading)
    cards = {"worst level": worst.value}
    if worst is not Level.OK:
        cards[f"first step at {worst.value}"] = f"{worst_at:,}"
        cards["layers that were not OK"] = (
            f"{int((reading.level_NL > 0).any(axis=0).sum())} of {len(reading.layers)}"
        )
    if any(each.worst is Level.ALARM for each in episodes):
        cards["lead over the loss spike"] = _lead(lead_steps(reading, episodes))
    cards["watched steps"] = f"{reading.n_steps:,}"
    cards["interventions"] = f"{sum(not each.undone for each in reading.interventions):,}"
    if reading.n_bad_lines:
        cards["lines that could not be read"] = f"{reading.n_bad_lines:,}"
    return cards


def _lead(steps: int | None) -> str:
    if steps is None:
        return "no spike"
    return f"{steps:,} step" if abs(steps) == 1 else f"{steps:,} steps"


def episodes_table(episodes: Sequence[Episode], most: int = MOST_EPISODES) -> PageTable:
    """Return the episodes in order of time; where there are too many, the worst ones."""
    by_concern = sorted(episodes, key=lambda each: -each.worst.concern)
    chosen = sorted(by_concern[:most], key=lambda each: (each.first, -each.worst.concern))
    left_out = len(episodes) - len(chosen)
    return PageTable(
        columns=("steps", "layer", "worst", "why", "mechanism"),
        rows=[
            (
                _steps(each),
                printable(each.layer, MOST_NAME_CHARS),
                BADGES[each.worst],
                printable(each.reason, MOST_CHARS) or "in the log's levels, without words",
                printable(each.mechanism, MOST_NAME_CHARS) or "-",
            )
            for each in chosen
        ],
        note=f"{left_out:,} milder episodes are not shown." if left_out else "",
    )


def interventions_table(interventions: Sequence[Intervention]) -> PageTable:
    """Return what was done, in order of time."""
    left_out = len(interventions) - MOST_INTERVENTIONS
    return PageTable(
        columns=("step", "intervention", "what", "before", "after"),
        rows=[
            (
                f"{each.step:,}",
                printable(each.name, MOST_NAME_CHARS) + (" (undone)" if each.undone else ""),
                printable(each.what, MOST_CHARS),
                _values(each.before),
                _values(each.after),
            )
            for each in interventions[:MOST_INTERVENTIONS]
        ],
        note=f"{left_out:,} later ones are not shown." if left_out > 0 else "",
    )


def advice_table(episodes: Sequence[Episode]) -> PageTable:
    """Return what to try first by mechanism, those that were seen in this run on top."""
    seen = {each.mechanism for each in episodes}
    rows = [
        (
            Badge(text=mechanism.value, tone="warn")
            if mechanism.value in seen
            else mechanism.value,
            advice.signs,
            advice.try_first,
        )
        for mechanism, advice in sorted(ADVICE.items(), key=lambda item: item[0].value not in seen)
    ]
    return PageTable(
        columns=("mechanism", "how it shows", "try first"),
        rows=rows,
        note="Marked: seen in this run." if seen - {""} else "",
    )


def _steps(episode: Episode) -> str:
    if episode.first == episode.last and episode.is_over:
        return f"{episode.first:,}"
    end = f"{episode.last:,}" if episode.is_over else "the end"
    worst = f", {episode.worst} from {episode.worst_at:,}"
    return f"{episode.first:,} to {end}" + (worst if episode.worst_at > episode.first else "")


def _values(values: Mapping[str, Any]) -> str:
    shown = (f"{name} {_value(value)}".strip() for name, value in values.items())
    return printable(", ".join(shown), MOST_CHARS) or "-"


def _value(value: Any) -> str:
    if isinstance(value, float):
        return f"{value:.4g}"
    return "-" if value is None else str(value)
