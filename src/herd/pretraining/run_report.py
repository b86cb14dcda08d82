"""The report of a run of pre-training: which tables it shows.

In: the recipe, the run directory, its metrics, its text, final samples. Out: `report.html`.
"""

from collections.abc import Mapping, Sequence
from typing import Any

from herd.data import ShardReader
from herd.foundation import PageSection, RunDirectory, read_json
from herd.pretraining.initial_config import PackedText
from herd.stability import stability_section
from herd.training import ReportContent, write_report

N_LONGEST = 5


def write_run_report(
    title: str,
    recipe: Mapping[str, Any],
    run: RunDirectory,
    records: Sequence[dict[str, Any]],
    text: PackedText,
    samples: Sequence[Mapping[str, str]],
    evaluation: PageSection | None = None,
) -> None:
    """Write `report.html` into the run directory."""
    sections = [evaluation, stability_section(run.path)]
    content = ReportContent(
        title=f"Herd: {title}",
        subtitle=f"{run.path.name}, pre-trained from random weights",
        samples=samples,
        extra=[section for section in sections if section],
        sections={
            "Data": _data(text),
            "Configuration": recipe,
            "Lineage": _lineage(text),
            "Environment": read_json(run.environment_path),
        },
    )
    write_report(run.report_path, records, content)


def _data(text: PackedText) -> dict[str, Any]:
    tables: dict[str, Any] = {"training text": _shard(text.train)}
    if text.held_out is not None:
        tables["held-out text"] = _shard(text.held_out)
    # Names of single documents stay in the shard's index; here only the counts.
    return tables | dict(text.train.index.statistics.get("counts", {}))


def _shard(reader: ShardReader) -> dict[str, Any]:
    offsets, names = reader.index.document_offsets, reader.index.document_names
    lengths = [end - start for start, end in zip(offsets, offsets[1:], strict=False)]
    longest = sorted(range(len(names)), key=lambda i: -lengths[i])[:N_LONGEST]
    return {
        "documents": reader.n_documents,
        "tokens": reader.n_tokens,
        "bytes": reader.n_bytes,
        "bytes per token": reader.n_bytes / reader.n_tokens,
        "longest documents": [f"{names[i]} ({lengths[i]:,} tokens)" for i in longest],
    }


def _lineage(text: PackedText) -> dict[str, Any]:
    return {
        "tokenizer": f"sha256:{text.tokenizer.fingerprint}",
        "tokenizer size": text.tokenizer.vocab_size,
        "training text": f"sha256:{text.train.index.sha256}",
        "held-out text": f"sha256:{text.held_out.index.sha256}" if text.held_out else None,
        "initial weights": "random, from the seed in the configuration",
        **_curation(text.train.index.statistics),
    }


def _curation(statistics: Mapping[str, Any]) -> dict[str, Any]:
    """Where the text comes from and what each stage of curation was set to; parts by their digests."""
    sources = {
        source["location"]: _without_defaults(source) for source in statistics.get("sources", ())
    }
    stages = {
        stage["stage"]: {"version": stage["version"], **stage["settings"], **stage.get("files", {})}
        for stage in statistics.get("stages", ())
    }
    parts = {part["part"]: f"sha256:{part['sha256']}" for part in statistics.get("parts", ())}
    found = {"sources": sources, "stages of curation": stages, "parts of the corpus": parts}
    return {name: table for name, table in found.items() if table}


def _without_defaults(source: Mapping[str, Any]) -> dict[str, Any]:
    return {name: value for name, value in source.items() if value and name != "location"}
