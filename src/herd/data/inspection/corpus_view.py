"""A finished corpus as what a page or a terminal shows: checked, since its files may be damaged.

In: the directory that `curate` made. Out: its manifest, samples and clusters as values of known types.
Never: a trace for a damaged file.
"""

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from itertools import islice
from pathlib import Path
from typing import Any

from herd.data.curation import CurationDirectory, explain_damage, read_manifest
from herd.data.curation.distributions import total_of
from herd.data.inspection.mix_rows import mix_rows
from herd.foundation import read_json

CLUSTERS = "clusters.jsonl"
MOST_CLUSTERS, MOST_SAMPLES = 200, 5_000  # shown, whatever a damaged file holds
NEEDED = ("recipe", "read", "funnel", "distributions", "parts", "documents_path")
ROW_FIELDS = ("stage", "documents_in", "documents_out", "bytes_in", "bytes_out")


@dataclass(frozen=True, slots=True)
class CorpusView:
    """What is shown of a corpus."""

    manifest: Mapping[str, Any]
    samples: Sequence[Mapping[str, Any]]
    clusters: Sequence[Mapping[str, Any]]
    mix: Sequence[Sequence[str]]
    timings: Mapping[str, Any]

    @property
    def funnel(self) -> Sequence[Mapping[str, Any]]:
        """One row a stage, in order."""
        rows: Sequence[Mapping[str, Any]] = self.manifest["funnel"]
        return rows

    @property
    def unread(self) -> Sequence[tuple[str, int, Sequence[str]]]:
        """What could not be read, or not wholly: what, how often, some names."""
        read = self.manifest["read"]
        counts, named = (read.get(which, {}).get("read", {}) for which in ("counts", "names"))
        return [(event, int(counts.get(event, 0)), names) for event, names in sorted(named.items())]

    @property
    def packed(self) -> Mapping[str, Mapping[str, Any]]:
        """What the manifest says of each split's shard; nothing if none was packed."""
        shards = self.manifest.get("shards") or {}
        return {split: one for split, one in shards.items() if isinstance(one, dict)}

    def ruled(self, stage: str) -> Mapping[str, int]:
        """Return what a stage that looked at the whole corpus counted there."""
        counts: Mapping[str, int] = self.manifest.get("rulings", {}).get(stage, {})
        return counts

    def total(self, which: str) -> tuple[int, int]:
        """Return documents and bytes that were `read` or `kept`."""
        return total_of(self.manifest["distributions"][which])

    def distribution(self, which: str, name: str) -> Mapping[str, Sequence[int]]:
        """Return (documents, bytes) by value of a property."""
        found: Mapping[str, Sequence[int]] = self.manifest["distributions"][which].get(name, {})
        return found


def view_corpus(directory: Path | str) -> CorpusView:
    """Read what there is to show. Raises UserError when the corpus is unfinished or damaged."""
    layout = CurationDirectory(Path(directory))
    manifest = read_manifest(layout)
    with explain_damage(layout.manifest_path):
        _check(manifest)
    with explain_damage(layout.path):
        timings = read_json(layout.timings_path) if layout.timings_path.exists() else {}
        return CorpusView(
            manifest=manifest,
            samples=_samples(layout.samples_path),
            clusters=_clusters(layout.path),
            mix=mix_rows(layout.path),
            timings=timings if isinstance(timings, dict) else {},
        )


def _check(manifest: Mapping[str, Any]) -> None:
    for name in NEEDED:
        if name not in manifest:
            raise KeyError(name)
    for row in manifest["funnel"]:
        _require(all(isinstance(row[field], int) for field in ROW_FIELDS[1:]), "funnel")
        _require(all(isinstance(row[f], dict) for f in ("dropped", "changed", "counts")), "funnel")
    for part in manifest["parts"]:
        _require(isinstance(part["part"], str) and isinstance(part["sha256"], str), "parts")
    for which in ("read", "kept"):
        for values in manifest["distributions"][which].values():
            _require(all(len(cell) == 2 for cell in values.values()), "distributions")


def _require(condition: bool, where: str) -> None:
    if not condition:
        raise TypeError(f"{where} holds something else than it should")


def _samples(path: Path) -> list[dict[str, Any]]:
    if not path.exists():
        return []
    value = read_json(path)
    fields = ("stage", "action", "reason", "document", "detail", "before", "after")
    rows = value[:MOST_SAMPLES] if isinstance(value, list) else []
    return [
        row
        for row in rows
        if isinstance(row, dict) and all(isinstance(row.get(field), str) for field in fields)
    ]


def _clusters(directory: Path) -> list[dict[str, Any]]:
    clusters = []
    for path in sorted(directory.glob(f"rulings/*/*/{CLUSTERS}")):
        with path.open(encoding="utf-8", errors="replace") as file:
            for line in islice(file, MOST_CLUSTERS):
                row = json.loads(line)
                if not isinstance(row["dropped"], list) or not isinstance(row["n_dropped"], int):
                    raise ValueError(f"{path.name} has a line that is no set of documents")
                clusters.append(row)
    return clusters
