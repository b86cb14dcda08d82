"""The page about a curated corpus: the funnel, what each filter dropped and kept, how text is spread.

In: the directory that `curate` made. Out: one HTML file that opens anywhere. Never: text of a document
taken for markup.
"""

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from herd.data.curation import explain_damage
from herd.data.inspection.corpus_figures import draw_distributions, draw_funnel
from herd.data.inspection.corpus_view import CorpusView, view_corpus
from herd.data.inspection.excerpt import excerpt, sample_groups
from herd.data.inspection.mix_rows import COLUMNS
from herd.foundation import (
    PageTable,
    UserError,
    format_bytes,
    format_count,
    format_seconds,
    render_page,
    write_text,
)

TEMPLATE, PAGE = "corpus.html.jinja", "report.html"
SHOWN_FILES, SHOWN_CLUSTERS, SHOWN_MEMBERS = 40, 25, 8


def write_corpus_page(directory: Path | str, out: Path | str) -> None:
    """Write the page. Raises UserError when the corpus is unfinished or damaged, or `out` cannot be written."""
    view = view_corpus(directory)
    _check_place(Path(directory), Path(out))
    with explain_damage(directory):
        page = _page(view)
    write_text(Path(out), page)


def _page(view: CorpusView) -> str:
    return render_page(
        "herd.data.inspection",
        TEMPLATE,
        title=f"Herd: {view.manifest['recipe'].get('name', 'corpus')}",
        subtitle=_subtitle(view),
        headline=_headline(view),
        funnel=draw_funnel(view),
        stages=_stages(view),
        distributions=draw_distributions(view),
        mix=PageTable(columns=COLUMNS, rows=view.mix) if view.mix else None,
        clusters=_clusters(view),
        unread=_unread(view),
        read_counts=_read_counts(view),
        lineage=_lineage(view),
    )


def _check_place(directory: Path, out: Path) -> None:
    """Raise UserError when the page would take the place of something else."""
    if out.exists() and not out.is_file():
        raise UserError(f"{out} is no file; name the page to write, such as {PAGE}")
    inside = out.resolve().is_relative_to(directory.resolve())
    if inside and out.resolve() != (directory / PAGE).resolve():
        raise UserError(f"{out} is inside the corpus; write {directory / PAGE}, or elsewhere")


def _subtitle(view: CorpusView) -> str:
    sources = [source["location"] for source in view.manifest["recipe"]["sources"]]
    shown = ", ".join(sources[:4]) + (", ..." if len(sources) > 4 else "")
    return f"curated from {shown} with Herd {view.manifest.get('herd', '')}"


def _headline(view: CorpusView) -> dict[str, str]:
    (n_read, bytes_read), (n_kept, bytes_kept) = view.total("read"), view.total("kept")
    cards = {
        "documents read": format_count(n_read),
        "documents kept": format_count(n_kept),
        "text read": format_bytes(bytes_read),
        "text kept": format_bytes(bytes_kept),
        "of the text kept": f"{bytes_kept / max(bytes_read, 1):.0%}",
    }
    n_tokens = sum(one["n_tokens"] for one in view.packed.values())
    if n_tokens:
        cards["tokens packed"] = format_count(n_tokens)
    seconds = sum(one.get("seconds", 0) for one in view.timings.values())
    if seconds:
        cards["time"] = format_seconds(seconds)
        cards["text per second"] = format_bytes(bytes_read / seconds)
    return cards


def _stages(view: CorpusView) -> list[dict[str, Any]]:
    """For each stage its numbers, its reasons and their samples."""
    groups = sample_groups(view.samples)
    return [
        {
            "name": row["stage"],
            "line": _flow_line(row),
            "reasons": _reasons(row, view.ruled(row["stage"])),
            "samples": groups.get(row["stage"], []),
        }
        for row in view.funnel
    ]


def _flow_line(row: Mapping[str, Any]) -> str:
    n_gone = row["documents_in"] - row["documents_out"]
    if n_gone < 0:
        return f"{-n_gone:,} copies more than the {row['documents_in']:,} documents that came in"
    share = n_gone / max(row["documents_in"], 1)
    gone_bytes = format_bytes(max(row["bytes_in"] - row["bytes_out"], 0))
    return (
        f"{n_gone:,} of {row['documents_in']:,} documents dropped ({share:.1%}), {gone_bytes} less"
    )


def _reasons(row: Mapping[str, Any], ruled: Mapping[str, int]) -> PageTable | None:
    rows = [
        [what, reason, f"{n:,}", f"{n / max(row['documents_in'], 1):.2%}"]
        for what in ("dropped", "changed")
        for reason, n in sorted(row[what].items(), key=lambda item: -item[1])
    ]
    rows += [["counted", what, f"{n:,}", ""] for what, n in row["counts"].items()]
    rows += [["in all", what, f"{n:,}", ""] for what, n in ruled.items()]
    if not rows:
        return None
    return PageTable(columns=("what", "reason", "how many", "share"), rows=rows)


def _clusters(view: CorpusView) -> list[dict[str, Any]]:
    return [
        {
            "kept": excerpt(str(row.get("kept", "")), 200),
            "n_dropped": row["n_dropped"],
            "dropped": [excerpt(str(name), 200) for name in row["dropped"][:SHOWN_MEMBERS]],
        }
        for row in view.clusters[:SHOWN_CLUSTERS]
    ]


def _unread(view: CorpusView) -> PageTable | None:
    """What could not be read, or not wholly, by name."""
    rows = [
        [event, f"{n:,}", ", ".join(excerpt(name, 120) for name in names[:SHOWN_FILES])]
        for event, n, names in view.unread
    ]
    return PageTable(columns=("what", "how often", "for example"), rows=rows) if rows else None


def _read_counts(view: CorpusView) -> PageTable:
    counts = view.manifest["read"].get("counts", {}).get("read", {})
    rows = [[what, f"{n:,}"] for what, n in sorted(counts.items())]
    return PageTable(columns=("while reading", "how often"), rows=rows)


def _lineage(view: CorpusView) -> PageTable:
    rows: list[Sequence[str]] = []
    for source in view.manifest["recipe"]["sources"]:
        rows.append(["source", excerpt(source["location"], 200), ""])
    for stage in view.manifest["recipe"]["stages"]:
        settings = ", ".join(f"{k}={v}" for k, v in stage["settings"].items())
        rows.append([stage["stage"], excerpt(settings, 600), f"version {stage['version']}"])
        for path, digest in stage.get("files", {}).items():
            rows.append([stage["stage"], path, f"sha256:{digest[:16]}"])
    for part in view.manifest["parts"][:SHOWN_FILES]:
        rows.append(
            [
                f"part {part['part']}",
                f"{part['documents']:,} documents",
                f"sha256:{part['sha256'][:16]}",
            ]
        )
    return PageTable(columns=("what", "settings", "version or digest"), rows=rows)
