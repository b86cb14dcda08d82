"""Texts with labels, split for training, calibration and evaluation by nothing but what they belong to.

Documents of one file are on one side (pieces of a long text, chapters with a field `group`), so that
nothing is tested on what it was trained on. In: a location for each label. Out: three lists.
Never: a text with two labels, or the same text twice.
"""

import hashlib
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

from herd.data.document import Document
from herd.data.sources import SourceConfig, read_documents
from herd.data.tally import Tally
from herd.foundation import UserError

MIN_TEXTS = 10  # of each label
CALIBRATED, EVALUATED = 0.15, 0.2  # shares
GROUP = "group"


@dataclass(slots=True)
class LabelledTexts:
    """Texts and their labels, in the order of their hashes."""

    texts: list[str] = field(default_factory=list)
    labels: list[str] = field(default_factory=list)

    def add(self, text: str, label: str) -> None:
        """Append one."""
        self.texts.append(text)
        self.labels.append(label)


@dataclass(frozen=True, slots=True)
class SplitTexts:
    """The three parts, and what was read and left out."""

    train: LabelledTexts
    calibration: LabelledTexts
    evaluation: LabelledTexts
    counts: Mapping[str, int]


def read_labelled(
    locations: Mapping[str, str], group_field: str = GROUP
) -> list[tuple[Document, str]]:
    """Read the documents of each label's location.

    Raises UserError for one label only, a location that does not exist, or fewer than ten texts of one.
    """
    if len(locations) < 2:
        raise UserError(
            "a classifier needs two labels or more, each with a location: good=DIR bad=DIR"
        )
    found = []
    for label, location in sorted(locations.items()):
        source = SourceConfig(location=location, meta_fields=(group_field,))
        documents = [one for one in read_documents([source], Tally()) if one.text.strip()]
        if len(documents) < MIN_TEXTS:
            raise UserError(
                f"{location}: {len(documents)} texts of {label!r}; at least {MIN_TEXTS} are needed"
            )
        found += [(document, label) for document in documents]
    return found


def split_texts(labelled: Sequence[tuple[Document, str]], group_field: str = GROUP) -> SplitTexts:
    """Split by group. Raises UserError when a label is missing from a part."""
    kept, counts = _without_doubles(labelled)
    parts = LabelledTexts(), LabelledTexts(), LabelledTexts()
    part_of = _parts_of({_group_of(document, group_field) for document, _ in kept})
    for document, label in kept:
        parts[part_of[_group_of(document, group_field)]].add(document.text, label)
    names = sorted({label for _, label in labelled})
    for part, what in zip(parts, ("train on", "calibrate with", "evaluate on"), strict=True):
        for label in names:
            if label not in part.labels:
                raise UserError(
                    f"no text of {label!r} is left to {what}: give more texts, in more files"
                )
    return SplitTexts(*parts, counts)


def _without_doubles(
    labelled: Sequence[tuple[Document, str]],
) -> tuple[list[tuple[Document, str]], dict[str, int]]:
    """Each text once, in the order of the hashes; a text under two labels says nothing and goes."""
    labels_of: dict[bytes, set[str]] = {}
    first: dict[bytes, tuple[Document, str]] = {}
    for document, label in labelled:
        digest = hashlib.sha256(document.text.strip().encode("utf-8", "surrogatepass")).digest()
        labels_of.setdefault(digest, set()).add(label)
        first.setdefault(digest, (document, label))
    kept = [first[digest] for digest in sorted(first) if len(labels_of[digest]) == 1]
    n_both = sum(len(labels) > 1 for labels in labels_of.values())
    return kept, {
        "texts": len(kept),
        "the same text again": len(labelled) - len(first),
        "under two labels": n_both,
    }


def _group_of(document: Document, group_field: str) -> str:
    """What a document belongs to: its field, else its file, wherever the folder lies."""
    return document.meta.get(group_field) or document.name.split("#")[0]


def _parts_of(groups: set[str]) -> dict[str, int]:
    """The part of each group: the first fifth in the order of their hashes is evaluated on, and so on."""
    order = sorted(
        groups, key=lambda group: hashlib.sha256(group.encode("utf-8", "surrogateescape")).digest()
    )
    n_evaluated = max(round(EVALUATED * len(order)), 1)
    n_calibrated = max(round(CALIBRATED * len(order)), 1)
    return {
        group: 2 if place < n_evaluated else 1 if place < n_evaluated + n_calibrated else 0
        for place, group in enumerate(order)
    }
