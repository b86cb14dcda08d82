"""Curation from sources to a corpus: every phase in its turn, each complete before the next begins.

In: a recipe, a directory. Out: documents, decisions, funnel and, if asked, shards in that directory.
A run that was stopped anywhere goes on where it was and ends with the same bytes.
Never: two runs in one directory; a recipe's results continued under another recipe.
"""

import json
import shutil
import time
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from herd.data.curation.damage import explain_damage
from herd.data.curation.layout import CurationDirectory
from herd.data.curation.manifest import corpus_record, lineage_of, read_manifest
from herd.data.curation.nothing_left import nothing_left
from herd.data.curation.part_work import PartPaths
from herd.data.curation.phase_task import Done, PartPhaseTask, ReadPhaseTask, do_task
from herd.data.curation.phases import Phase, phases_of
from herd.data.curation.recipe import CurationRecipe, recipe_values
from herd.data.curation.rulings import rule_all
from herd.data.curation.shards import check_packing, pack_curated
from herd.data.curation.workers import OneProcess, Workers
from herd.data.sources import plan_reading
from herd.data.tally import Tally
from herd.foundation import (
    UserError,
    progress_bar,
    read_json,
    remove_partials,
    to_dict,
    write_json,
)

FOREIGN_SHOWN = 3


def curate(
    recipe: CurationRecipe,
    out: Path | str,
    *,
    workers: Workers | None = None,
    keep_phases: bool = False,
) -> dict[str, Any]:
    """Curate a corpus into the directory `out`; return its manifest.

    Goes on with an unfinished run of the same recipe; returns at once from a finished one. With
    `keep_phases` the documents between phases stay on disk. Raises UserError when the directory is
    in use, holds something else or another recipe's run, a source changed, or the disk is full.
    """
    directory = CurationDirectory(Path(out))
    values = recipe_values(recipe)
    check_packing(recipe.packing)
    with directory.locked():
        if _claim(directory, values):
            manifest = read_manifest(directory)
            with explain_damage(directory.manifest_path):
                _require_something(recipe, manifest)
            return manifest
        _remove_all_partials(directory.path)
        with (workers or OneProcess()).kept() as kept_workers:
            manifest = _curate(recipe, directory, values, kept_workers, keep_phases=keep_phases)
        _remove_all_partials(directory.path)  # of workers that were killed
        write_json(directory.manifest_path, manifest)
        _require_something(recipe, manifest)
        return manifest


def _require_something(recipe: CurationRecipe, manifest: dict[str, Any]) -> None:
    """Raise UserError when shards were asked for and nothing stayed; the corpus can be inspected."""
    if recipe.packing and not any(part["documents"] for part in manifest["parts"]):
        raise UserError(nothing_left(manifest))


def _curate(
    recipe: CurationRecipe,
    directory: CurationDirectory,
    values: dict[str, Any],
    workers: Workers,
    *,
    keep_phases: bool,
) -> dict[str, Any]:
    """Run all phases and pack; return the manifest."""
    phases = phases_of(recipe.stages)
    parts: list[str] = []
    for phase in phases:
        before = phases[phase.number - 1] if phase.number else None
        parts = _run_phase(recipe, directory, phase, before, parts, workers)
        if before and not keep_phases:
            _remove_documents(directory.phase_path(before))
    with explain_damage(directory.path):
        record = corpus_record(directory, values, phases)
    packing = recipe.packing if any(part["documents"] for part in record["parts"]) else None
    shards = pack_curated(packing, directory, phases[-1], parts, workers, lineage_of(record))
    return {**record, "shards": shards}


def _claim(directory: CurationDirectory, values: dict[str, Any]) -> bool:
    """Whether the directory holds the finished result; refuse one that is not this recipe's."""
    if not directory.recipe_path.exists():
        _refuse_foreign_files(directory.path)
        write_json(directory.recipe_path, values)
        return False
    there = read_json(directory.recipe_path)
    if _is_untouched(directory, there):  # nothing was read yet: another try may take its place
        write_json(directory.recipe_path, values)
        return False
    if there != json.loads(json.dumps(values)):
        raise UserError(
            f"{directory.path} was begun with another recipe, or a file that the recipe names has "
            "changed; choose another directory with --out"
        )
    return directory.manifest_path.exists()


def _is_untouched(directory: CurationDirectory, recipe: Any) -> bool:
    """Whether a run of curation was named here, and came no further."""
    names = {entry.name for entry in directory.path.iterdir()}
    ours = isinstance(recipe, dict) and {"sources", "stages", "limits"} <= set(recipe)
    return ours and names <= {".lock", directory.recipe_path.name}


def _refuse_foreign_files(path: Path) -> None:
    names = sorted(entry.name for entry in path.iterdir() if entry.name != ".lock")
    foreign = [name for name in names if ".partial-" not in name]
    if foreign:
        raise UserError(
            f"{path} holds files that are no curated corpus ({', '.join(foreign[:FOREIGN_SHOWN])}); "
            "choose an empty or new directory with --out"
        )


def _remove_all_partials(path: Path) -> None:
    for folder in [path, *(entry for entry in path.rglob("*") if entry.is_dir())]:
        if folder.exists():
            remove_partials(folder)


def _run_phase(
    recipe: CurationRecipe,
    directory: CurationDirectory,
    phase: Phase,
    before: Phase | None,
    parts: list[str],
    workers: Workers,
) -> list[str]:
    """Run a phase unless it is complete; return the names of its parts in order."""
    marker = directory.phase_marker(phase)
    if marker.exists():
        with explain_damage(marker):
            complete: list[str] = read_json(marker)["parts"]
        return complete
    tasks: Sequence[ReadPhaseTask | PartPhaseTask]
    if before is None:
        tasks = _reading_tasks(recipe, directory, phase)
    else:
        surveys = [PartPaths(directory.phase_path(before), part).survey for part in parts]
        ruling = directory.ruling_path(phase)
        rule_all(phase.ruled_by, surveys, ruling, recipe.limits.memory_bytes)
        tasks = _part_tasks(directory, phase, before, parts)
    directory.phase_path(phase).mkdir(parents=True, exist_ok=True)
    done = _work(phase, tasks, workers, directory)
    ordered = [part for task in tasks for part in done[task.number].parts]
    write_json(marker, {"parts": ordered})
    return ordered


def _reading_tasks(
    recipe: CurationRecipe, directory: CurationDirectory, phase: Phase
) -> list[ReadPhaseTask]:
    tally = Tally()
    planned = plan_reading(recipe.sources, tally)
    _require_same_plan(directory, {"tasks": to_dict(planned), "read": tally.statistics()})
    path, part_bytes = directory.phase_path(phase), recipe.limits.part_bytes
    return [
        ReadPhaseTask(number, task, recipe.sources, phase, path, part_bytes)
        for number, task in enumerate(planned)
    ]


def _require_same_plan(directory: CurationDirectory, plan: Any) -> None:
    if not directory.plan_path.exists():
        write_json(directory.plan_path, plan)
    elif read_json(directory.plan_path) != json.loads(json.dumps(plan)):
        raise UserError(
            f"{directory.path}: files came, went or changed in a source since this run began; choose "
            "another directory with --out"
        )


def _part_tasks(
    directory: CurationDirectory, phase: Phase, before: Phase, parts: Sequence[str]
) -> list[PartPhaseTask]:
    here, there = directory.phase_path(phase), directory.phase_path(before)
    ruling = directory.ruling_path(phase)
    return [
        PartPhaseTask(number, part, PartPaths(there, part).documents, phase, here, ruling)
        for number, part in enumerate(parts)
    ]


def _work(
    phase: Phase,
    tasks: Sequence[ReadPhaseTask | PartPhaseTask],
    workers: Workers,
    directory: CurationDirectory,
) -> dict[int, Done]:
    total = sum(_input_bytes(task) for task in tasks)
    done: dict[int, Done] = {}
    started_s = time.monotonic()
    with progress_bar(f"curating, {phase.directory_name}", total, unit="B") as progress:
        for task, result in workers.run(do_task, tasks):
            done[task.number] = result
            progress.advance(_input_bytes(task), **_figures(done, time.monotonic() - started_s))
    _note_timing(directory, phase, done, time.monotonic() - started_s)
    return done


def _input_bytes(task: ReadPhaseTask | PartPhaseTask) -> int:
    """Bytes on disk, which are known before anything is read."""
    if isinstance(task, ReadPhaseTask):
        return task.task.n_bytes
    return task.source.stat().st_size


def _figures(done: dict[int, Done], elapsed_s: float) -> dict[str, object]:
    n_in = sum(one.documents_in for one in done.values())
    bytes_in = sum(one.bytes_in for one in done.values())
    bytes_out = sum(one.bytes_out for one in done.values())
    rate = n_in / max(elapsed_s, 1e-9)
    kept = f"{bytes_out / bytes_in:.0%}" if bytes_in else "-"
    return {"documents": n_in, "documents/s": f"{rate:,.0f}", "kept": kept}


def _note_timing(
    directory: CurationDirectory, phase: Phase, done: dict[int, Done], elapsed_s: float
) -> None:
    path = directory.timings_path
    timings = read_json(path) if path.exists() else {}
    timings[phase.directory_name] = {
        "seconds": round(elapsed_s, 3),
        "documents_in": sum(one.documents_in for one in done.values()),
        "bytes_in": sum(one.bytes_in for one in done.values()),
    }
    write_json(path, timings)


def _remove_documents(phase_path: Path) -> None:
    """Free the disk of what the next phase has read; decisions and summaries stay."""
    for path in phase_path.glob("part-*.parquet"):
        if not path.name.endswith(".decisions.parquet"):
            path.unlink()
    for path in phase_path.glob("part-*.survey"):
        shutil.rmtree(path)
