"""The report of a run: one HTML file that opens anywhere, with nothing to load.

In: the metrics log's records and plain mappings (configuration, data, lineage, environment).
Out: `report.html`: curves, samples as training went, tables.
Never: the name of a stage; titles and sections come from the caller.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from herd.foundation import (
    PageSection,
    format_count,
    format_seconds,
    render_page,
    write_text,
)
from herd.training.report_figures import draw_figures

TEMPLATE = "report.html.jinja"


@dataclass(frozen=True, kw_only=True, slots=True)
class ReportContent:
    """What a report shows besides the curves; each section maps a label to a value.

    Values may be nested mappings and lists; they are shown as dotted labels. `extra` are sections
    with figures and tables of their own, shown below the curves.
    """

    title: str
    subtitle: str = ""
    samples: Sequence[Mapping[str, str]] = ()
    extra: Sequence[PageSection] = ()
    sections: Mapping[str, Mapping[str, Any]] = field(default_factory=dict)


def write_report(path: Path, records: Sequence[dict[str, Any]], content: ReportContent) -> None:
    """Write the report of a run whose metrics log holds `records`."""
    page = render_page(
        "herd.training",
        TEMPLATE,
        title=content.title,
        subtitle=content.subtitle,
        headline=_headline(records),
        figures=draw_figures(records),
        final_samples=content.samples,
        extra=content.extra,
        samples_by_tokens=_samples_by_tokens(records),
        sections={name: flatten(values) for name, values in content.sections.items()},
    )
    write_text(path, page)


def flatten(values: Mapping[str, Any], prefix: str = "") -> dict[str, str]:
    """Return nested mappings and lists as one level of dotted labels and readable values."""
    flat: dict[str, str] = {}
    for name, value in values.items():
        label = f"{prefix}{name}"
        if isinstance(value, Mapping) and value:
            flat |= flatten(value, f"{label}.")
        elif isinstance(value, list | tuple) and any(isinstance(i, Mapping) for i in value):
            numbered = {str(index): item for index, item in enumerate(value)}
            flat |= flatten(numbered, f"{label}.")
        else:
            flat[label] = _readable(value)
    return flat


def _headline(records: Sequence[dict[str, Any]]) -> dict[str, str]:
    steps = [record for record in records if isinstance(record.get("loss_nats"), float)]
    if not steps:
        return {}
    last = steps[-1]
    headline = {
        "steps": f"{last['step']:,}",
        "tokens": format_count(last["tokens"]),
        "training loss, nats": f"{last['loss_nats']:.3f}",
    }
    validated = [record for record in records if "val_loss_nats" in record]
    if validated:
        headline["held-out loss, nats"] = f"{validated[-1]['val_loss_nats']:.3f}"
        headline["bits per byte"] = f"{validated[-1]['val_bits_per_byte']:.3f}"
    speeds = sorted(record["tokens_per_s"] for record in steps)
    headline["tokens per second"] = format_count(speeds[len(speeds) // 2])
    if last.get("mfu") is not None:
        headline["MFU"] = f"{sorted(r['mfu'] for r in steps)[len(steps) // 2]:.0%}"
    headline["training time"] = format_seconds(
        sum(record["batch_tokens"] / max(record["tokens_per_s"], 1e-9) for record in steps)
    )
    return headline


def _samples_by_tokens(records: Sequence[dict[str, Any]]) -> list[dict[str, Any]]:
    return [
        {"tokens": format_count(record["tokens"]), "samples": record["samples"]}
        for record in records
        if record.get("samples")
    ]


def _readable(value: Any) -> str:
    if isinstance(value, bool):
        return "yes" if value else "no"
    if isinstance(value, int):
        return f"{value:,}"
    if isinstance(value, float):
        return f"{value:,.0f}" if abs(value) >= 1e6 else f"{value:g}"
    if isinstance(value, list | tuple):
        return ", ".join(_readable(item) for item in value)
    return "-" if value is None or value == {} else str(value)
