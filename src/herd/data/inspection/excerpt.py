"""Text of strangers made fit to show: bounded, without characters that hide or turn round others.

In: samples as curation drew them. Out: groups by stage and reason; where two texts differ, the pieces.
"""

import difflib
import re
from collections.abc import Mapping, Sequence
from typing import Any

HIDDEN = re.compile("[\x00-\x08\x0b-\x1f\x7f-\x9f\u200b-\u200f\u202a-\u202e\u2060-\u2069\ufeff]")
MAX_CHARS = 600


def excerpt(text: str, max_chars: int = MAX_CHARS) -> str:
    """Return the beginning of a text, hidden characters shown as a replacement."""
    cut = text[:max_chars]
    return HIDDEN.sub("\N{REPLACEMENT CHARACTER}", cut) + ("…" if len(text) > max_chars else "")


def sample_groups(samples: Sequence[Mapping[str, Any]]) -> dict[str, list[dict[str, Any]]]:
    """Return, for each stage, groups of samples: dropped first, then changed, then kept."""
    order = {"dropped": 0, "changed": 1, "kept": 2}
    groups: dict[tuple[str, str, str], list[dict[str, Any]]] = {}
    for row in samples:
        key = row["stage"], row["action"], row["reason"]
        groups.setdefault(key, []).append(_shown(row))
    by_stage: dict[str, list[dict[str, Any]]] = {}
    for (stage, action, reason), rows in sorted(
        groups.items(), key=lambda item: (order.get(item[0][1], 3), item[0][2])
    ):
        title = f"{action}: {excerpt(reason, 80)}" if reason else action
        by_stage.setdefault(stage, []).append({"title": title, "samples": rows})
    return by_stage


def changes(before: str, after: str) -> list[tuple[str, str]]:
    """Return the pieces of two texts in order, each `same`, `gone` or `new`, cut at words."""
    old, new = re.findall(r"\s+|\S+", before), re.findall(r"\s+|\S+", after)
    pieces: list[tuple[str, str]] = []
    matcher = difflib.SequenceMatcher(None, old, new, autojunk=False)
    for tag, a, b, c, d in matcher.get_opcodes():
        if tag == "equal":
            pieces.append(("same", "".join(old[a:b])))
            continue
        if b > a:
            pieces.append(("gone", "".join(old[a:b])))
        if d > c:
            pieces.append(("new", "".join(new[c:d])))
    return pieces


def common_changes(before: str, after: str) -> list[tuple[str, str]]:
    """Return the changes between two excerpts up to where the shorter reach of the two ends.

    Both are cut at so many characters; what only one of them reaches is no change.
    """
    pieces = changes(excerpt(before), excerpt(after))
    is_cut = max(len(before), len(after)) >= MAX_CHARS
    last_same = max((at for at, (kind, _) in enumerate(pieces) if kind == "same"), default=None)
    if not is_cut or last_same is None:
        return pieces
    return [*pieces[: last_same + 1], ("same", " …")]


def _shown(row: Mapping[str, Any]) -> dict[str, Any]:
    before, after = row["before"], row["after"]
    return {
        "document": excerpt(row["document"], 160),
        "detail": excerpt(row["detail"], 200),
        "pieces": common_changes(before, after) if after else [("same", excerpt(before))],
    }
