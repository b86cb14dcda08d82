"""The manifest of a curated corpus: where every document comes from and what was done to it.

In: the summaries of all parts of all phases. Out: lineage, funnel, distributions, digests and
samples, the same bytes whoever did the work.
"""

from collections.abc import Mapping, Sequence
from typing import Any

from herd.data.curation.distributions import Distributions
from herd.data.curation.funnel import StageFlow, merge_flows
from herd.data.curation.layout import CurationDirectory
from herd.data.curation.part_work import PartPaths
from herd.data.curation.phases import Phase
from herd.data.curation.rulings import COUNTS
from herd.data.curation.samples import Samples
from herd.data.tally import Tally
from herd.foundation import UserError, installed_version, read_json, write_json

FORMAT = "herd-corpus-1"


def corpus_record(
    directory: CurationDirectory, recipe: Mapping[str, Any], phases: Sequence[Phase]
) -> dict[str, Any]:
    """Write the samples; return all that the manifest says but the shards."""
    summaries = [_summaries(directory, phase) for phase in phases]
    samples = Samples()
    for phase_summaries in summaries:
        for summary in phase_summaries:
            samples.add_json(summary["samples"])
    write_json(directory.samples_path, samples.to_json())
    return {
        "format": FORMAT,
        "herd": installed_version("llama-herd"),
        "recipe": recipe,
        "read": _what_was_read(directory, phases[0]),
        "funnel": [flow.to_json() for rows in summaries for flow in _flows(rows)],
        "examples": samples.names(),
        "rulings": _ruling_counts(directory, phases),
        "distributions": {
            "read": _distribution(summaries[0], "before"),
            "kept": _distribution(summaries[-1], "after"),
        },
        "documents_path": directory.phase_path(phases[-1]).relative_to(directory.path).as_posix(),
        "parts": [
            {name: summary[name] for name in ("part", "documents", "bytes", "sha256")}
            for summary in summaries[-1]
        ],
    }


def lineage_of(record: Mapping[str, Any]) -> dict[str, Any]:
    """Return what a shard's index says of how its text came to be, for a run's report."""
    counts = dict(record["read"]["counts"])
    for row in record["funnel"]:
        counts[row["stage"]] = {
            **row["dropped"],
            **row["changed"],
            **row["counts"],
            "documents kept": row["documents_out"],
        }
    return {
        "sources": record["recipe"]["sources"],
        "stages": record["recipe"]["stages"],
        "counts": counts,
        "names": {**record["read"]["names"], **record["examples"]},
        "parts": record["parts"],
    }


def read_manifest(directory: CurationDirectory) -> dict[str, Any]:
    """Read the manifest of a finished corpus. Raises UserError when there is none."""
    if not directory.manifest_path.is_file():
        state = (
            "is not finished: give the same command again to go on"
            if (directory.recipe_path.exists())
            else "is no curated corpus; make one with herd data curate"
        )
        raise UserError(f"{directory.path} {state}")
    manifest = read_json(directory.manifest_path)
    if not isinstance(manifest, dict) or manifest.get("format") != FORMAT:
        raise UserError(f"{directory.manifest_path}: not a manifest of format {FORMAT}")
    return manifest


def _summaries(directory: CurationDirectory, phase: Phase) -> list[dict[str, Any]]:
    parts = read_json(directory.phase_marker(phase))["parts"]
    return [read_json(PartPaths(directory.phase_path(phase), part).summary) for part in parts]


def _flows(summaries: Sequence[Mapping[str, Any]]) -> list[StageFlow]:
    return merge_flows(
        [StageFlow.from_json(row) for row in summary["stages"]] for summary in summaries
    )


def _what_was_read(directory: CurationDirectory, phase: Phase) -> dict[str, Any]:
    """What was met while planning and reading: broken files by name, documents, characters."""
    tally = Tally()
    tally.add_statistics(read_json(directory.plan_path)["read"])
    for path in sorted(directory.phase_path(phase).glob("task-*.json")):
        tally.add_statistics(read_json(path)["read"])
    return tally.statistics()


def _ruling_counts(directory: CurationDirectory, phases: Sequence[Phase]) -> dict[str, Any]:
    return {
        stage.name: read_json(directory.ruling_path(phase) / stage.name / COUNTS)
        for phase in phases
        for stage in phase.ruled_by
    }


def _distribution(summaries: Sequence[Mapping[str, Any]], which: str) -> dict[str, Any]:
    total = Distributions()
    for summary in summaries:
        total.add_json(summary["distributions"][which])
    return total.to_json()
