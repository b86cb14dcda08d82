"""The log of a watched run: `stability.jsonl`, one line for each watched step.

In: a watch after its step, and what interventions report. Out: a first line with the layers' names
and Adam's constants, then lines with one array over layers for each statistic, levels as letters,
and at changes the reasons and histograms. Readers skip a torn last line.
"""

import json
import math
from pathlib import Path
from types import TracebackType
from typing import Any, Self

from herd.foundation import MetricsLog, read_metrics
from herd.stability.verdict import Level
from herd.stability.watch import AdamWatch

LOG_NAME = "stability.jsonl"
LETTER = {Level.OK: "O", Level.WATCH: "W", Level.ALARM: "A", Level.RECOVERY: "R"}
COLUMNS = {  # in the log -> of `UpdateStatistics`
    "update_rms": "update_rms",
    "alignment": "alignment",
    "cold_fraction": "cold_fraction",
    "rho": "rho_from_cosine",
    "bimodality": "active_bimodality",
    "valley_ratio": "active_valley_ratio",
    "stable_adamw_rms": "stable_adamw_rms",
    "spike_share": "spike_share",
    "update_to_weight": "update_to_weight",
}
HISTOGRAM_EVERY = 100  # watched steps, besides changes
DIGITS = 4


class WatchLog:
    """Writes the log of one watch; opened again, it goes on below what is there."""

    def __init__(self, path: Path | str, watch: AdamWatch) -> None:
        """Open the log and write its first line if it has none."""
        self._watch = watch
        self._last_step = -1
        path = Path(path)
        is_new = not read_first_line(path)
        self._log = MetricsLog(path)
        if is_new:
            self._log.write(header_of(watch))

    def write(self) -> None:
        """Log the last watched step, if it is not in the log yet."""
        judged = self._watch.judged
        if judged is not None and judged.step != self._last_step:
            self._last_step = judged.step
            self._log.write(record_of(self._watch))

    def write_event(self, record: dict[str, Any]) -> None:
        """Log what an intervention did: `step`, `intervention`, `what`, `before`, `after`, `undone`."""
        self._log.write(record)

    def close(self) -> None:
        """Close the file."""
        self._log.close()

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self.close()


def header_of(watch: AdamWatch) -> dict[str, Any]:
    """Return the first line: the layers in the model's order, and Adam's constants."""
    beta1, beta2, epsilon = watch.constants
    return {"layers": watch.layers, "beta1": beta1, "beta2": beta2, "epsilon": epsilon}


def record_of(watch: AdamWatch) -> dict[str, Any]:
    """Return the line of the last watched step."""
    judged, verdict = watch.judged, watch.verdict
    if judged is None:
        return {}
    statistics = watch.statistics
    record: dict[str, Any] = {
        "step": judged.step,
        "level": judged.level.value,
        "loss_nats": rounded(judged.numbers.loss_nats),
        "grad_norm": rounded(judged.numbers.grad_norm),
        "loss_z": rounded(judged.signals.loss_z),
        "grad_norm_z": rounded(judged.signals.grad_norm_z),
        "levels": "".join(LETTER[judged.levels[layer]] for layer in watch.layers),
    }
    for column, name in COLUMNS.items():
        record[column] = [rounded(getattr(each, name)) for each in statistics.values()]
    if judged.is_change:
        record["reasons"] = list(verdict.reasons)
        record["mechanisms"] = [mechanism.value for mechanism in verdict.mechanisms]
    if judged.is_change or judged.n_watched % HISTOGRAM_EVERY == 1:
        record["histograms"] = {
            layer: {"all": list(each.histogram), "active": list(each.active_histogram)}
            for layer, each in statistics.items()
        }
    return record


def read_first_line(path: Path) -> dict[str, Any]:
    """Return the first line of a log, empty if there is none."""
    if not path.exists():
        return {}
    with path.open(encoding="utf-8", errors="replace") as file:
        try:
            first = json.loads(file.readline())
        except ValueError:
            return {}
    return first if isinstance(first, dict) and "layers" in first else {}


def read_watch_log(path: Path | str) -> tuple[dict[str, Any], list[dict[str, Any]]]:
    """Return the first line and the others."""
    records = read_metrics(path)
    header = records[0] if records and "layers" in records[0] else {}
    return header, records[1:] if header else records


def rounded(value: float | None) -> float | str | None:
    """Return a number to four digits; NaN as None, and what is infinite in words, as JSON needs."""
    if value is None or math.isnan(value):
        return None
    return float(f"{value:.{DIGITS}g}") if math.isfinite(value) else str(value)
