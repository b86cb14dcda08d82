"""The mix: each group of documents read so often that it has its share (Llama 3, section 3.1.2).

Held-out documents pass as they are. Of a group that is read less than once, or more than a whole number
of times, the documents of the smallest content hashes are drawn, so that nothing but the text decides.
In: bytes by group. Out: fewer documents, or copies of them with meta `epoch`; `mix.json` in the ruling:
the bytes, the share and the epochs of each group and of each source.
"""

import json
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any, ClassVar

import numpy as np
from numpy.typing import NDArray

from herd.data.dedup.key_ranges import key_of, key_ranges
from herd.data.document import Document
from herd.data.mix.epochs import epochs_of, explicit_shares, temperature_shares
from herd.data.mix.groups import GROUPINGS, Grouping, group_of
from herd.data.stage import Array, Outcome, RuledTransform, Survey, Surveys
from herd.foundation import UserError, write_json

TABLE = "mix.json"
BYTES_EACH = 64
MIN_TEMPERATURE, MOST_EPOCHS, MOST_BYTES = 0.1, 1_000, 1 << 60
KEPT_APART = -1  # the group of a held-out document
Keys = NDArray[np.uint64]
Numbers = NDArray[np.int64]


@dataclass(frozen=True, kw_only=True, slots=True)
class MixStage:
    """Give each group its share of the text: by `weights` (('code', 0.17), ...), or by a `temperature`.

    Both left out (temperature 1) keeps the shares as they are. `total_bytes` 0 means as much text as
    goes in; if a group would have to be read more than `max_epochs` times, all are read less (4 epochs
    are nearly as good as new text: Muennighoff et al. 2023). A weight for '*' is for all other groups.
    """

    name: ClassVar[str] = "mix"
    version: ClassVar[int] = 1
    by: Grouping = "knowledge"
    weights: tuple[tuple[str, float], ...] = ()
    temperature: float = 1.0
    total_bytes: int = 0
    max_epochs: float = 4.0

    def __post_init__(self) -> None:
        """Refuse a grouping that is none, weights below 0, and both ways at once."""
        if self.by not in GROUPINGS:
            raise UserError(f"mix.by is {self.by!r}; it must be one of {', '.join(GROUPINGS)}")
        if any(not 0 <= weight < float("inf") for _, weight in self.weights):
            raise UserError("mix.weights must be numbers of 0 or more")
        if len({group for group, _ in self.weights}) < len(self.weights):
            raise UserError("mix.weights names a group twice")
        if self.weights and self.temperature != 1.0:
            raise UserError("mix takes weights or a temperature, not both")
        if not MIN_TEMPERATURE <= self.temperature < float("inf"):
            raise UserError(
                f"mix.temperature is {self.temperature}; it must be {MIN_TEMPERATURE} or more"
            )
        if not 0 < self.max_epochs <= MOST_EPOCHS:
            raise UserError(
                f"mix.max_epochs is {self.max_epochs}; it must be above 0, at most {MOST_EPOCHS}"
            )
        if not 0 <= self.total_bytes <= MOST_BYTES:
            raise UserError(f"mix.total_bytes is {self.total_bytes}; it must be 0 to {MOST_BYTES}")

    def open_survey(self) -> Survey:
        """Return the survey of a part: hash, bytes, group and source of each document."""
        return _Contents(self.by)

    def rule(self, surveys: Surveys, ruling: Path, memory_bytes: int) -> Mapping[str, int]:
        """Write the epochs of each group, and up to which hash one more copy is drawn."""
        n_bytes = _bytes_by(surveys, "group")
        total = self.total_bytes or sum(n_bytes.values())
        epochs = epochs_of(n_bytes, self._shares(n_bytes), total, self.max_epochs)
        draw = _last_drawn(surveys, n_bytes, epochs, memory_bytes)
        table = {
            "groups": {
                group: {
                    "epochs": epochs[group],
                    "whole": int(epochs[group]),
                    "last_drawn": draw[group],
                }
                for group in sorted(n_bytes)
            }
        }
        write_json(ruling / TABLE, table)
        report = _report(surveys, table["groups"])
        write_json(ruling / TABLE, table | report)
        return {
            f"{group}: bytes drawn": row["bytes_drawn"] for group, row in report["by_group"].items()
        }

    def open(self, ruling: Path, part: int) -> RuledTransform:
        """Return the function that leaves documents out, or repeats them."""
        groups = json.loads((ruling / TABLE).read_text(encoding="utf-8"))["groups"]

        def transform(documents: Sequence[Document], first: int) -> Outcome:
            outcome = Outcome()
            for document in documents:
                if _is_held_out(document):
                    outcome.documents.append(document)
                else:
                    self._draw(document, groups, outcome)
            return outcome

        return transform

    def _shares(self, n_bytes: Mapping[str, int]) -> dict[str, float]:
        if self.weights:
            return explicit_shares(n_bytes, dict(self.weights))
        return temperature_shares(n_bytes, self.temperature)

    def _draw(self, document: Document, groups: Mapping[str, Any], outcome: Outcome) -> None:
        group = group_of(document, self.by)
        row = groups[group]
        n_copies = row["whole"] + (key_of(document.text) <= row["last_drawn"])
        detail = f"{group}: {row['epochs']:.3g} epochs"
        if not n_copies:
            outcome.drop(document, "not drawn", detail)
        elif n_copies == 1:
            outcome.documents.append(document)
        else:
            first = replace(document, meta={**document.meta, "epoch": "1"})
            outcome.change(first, "repeated", f"{detail}, {n_copies} times")
            outcome.documents += [_copy(document, epoch) for epoch in range(2, n_copies + 1)]
            outcome.count("copies", n_copies - 1)


def llama3_mix() -> MixStage:
    """Return the final mix of Llama 3 (section 3.1.2), by text: the paper gives it by tokens."""
    shares = (("general", 0.50), ("reasoning", 0.25), ("code", 0.17), ("multilingual", 0.08))
    return MixStage(by="knowledge", weights=shares)


def _is_held_out(document: Document) -> bool:
    return document.meta.get("split") == "held_out"


def _copy(document: Document, epoch: int) -> Document:
    meta = {**document.meta, "epoch": str(epoch)}
    return replace(document, name=f"{document.name}@{epoch}", meta=meta)


class _Contents:
    def __init__(self, by: Grouping) -> None:
        self._by = by
        self._keys: list[int] = []
        self._n_bytes: list[int] = []
        self._labels: dict[str, list[str]] = {"group": [], "source": []}

    def add(self, documents: Sequence[Document]) -> None:
        for document in documents:
            group = "" if _is_held_out(document) else group_of(document, self._by)
            self._labels["group"].append(group)
            self._labels["source"].append(group and group_of(document, "source"))
            self._keys.append(key_of(document.text))
            self._n_bytes.append(len(document.text.encode("utf-8", "surrogatepass")))

    def columns(self) -> Mapping[str, Array]:
        found: dict[str, Array] = {
            "key": np.array(self._keys, dtype=np.uint64),
            "n_bytes": np.array(self._n_bytes, dtype=np.int64),
        }
        for name, labels in self._labels.items():
            names = sorted(set(labels) - {""})
            number = {label: at for at, label in enumerate(names)} | {"": KEPT_APART}
            found[f"{name}_names"] = np.array(names, dtype=np.str_)
            found[name] = np.array([number[label] for label in labels], dtype=np.int64)
        return found


def _bytes_by(surveys: Surveys, column: str) -> dict[str, int]:
    """How many bytes of text each group (or source) has."""
    found: dict[str, int] = {}
    for part in range(surveys.n_parts):
        numbers, n_bytes = surveys.column(part, column), surveys.column(part, "n_bytes")
        for number, label in enumerate(surveys.column(part, f"{column}_names").tolist()):
            found[label] = found.get(label, 0) + int(n_bytes[numbers == number].sum())
    return found


def _last_drawn(
    surveys: Surveys, n_bytes: Mapping[str, int], epochs: Mapping[str, float], memory_bytes: int
) -> dict[str, int]:
    """The hash of each group up to which documents are drawn once more; -1 for none of them.

    That many are drawn that their text comes nearest to what is wanted.
    """
    left = {group: (epochs[group] % 1) * size for group, size in n_bytes.items()}
    last = dict.fromkeys(n_bytes, -1)
    for group, keys, sizes in _in_order(surveys, memory_bytes):
        before = np.cumsum(sizes) - sizes
        n_drawn = int(np.searchsorted(before + sizes / 2, left[group], side="left"))
        if n_drawn:
            last[group] = int(keys[n_drawn - 1])
        done = n_drawn < keys.size
        left[group] = 0.0 if done else left[group] - float(sizes.sum())
    return last


def _in_order(surveys: Surveys, memory_bytes: int) -> Iterator[tuple[str, Keys, Numbers]]:
    """Each group's hashes in their order with the sizes of their texts, a range of hashes at a time."""
    n_documents = sum(surveys.column(part, "key").size for part in range(surveys.n_parts))
    for low, high in key_ranges(n_documents, BYTES_EACH, memory_bytes):
        found: dict[str, list[tuple[Keys, Numbers]]] = {}
        for part in range(surveys.n_parts):
            keys, groups = surveys.column(part, "key"), surveys.column(part, "group")
            within = (keys >= low) & (keys <= high)
            for number, group in enumerate(surveys.column(part, "group_names").tolist()):
                chosen = np.flatnonzero(within & (groups == number))
                sizes = surveys.column(part, "n_bytes")[chosen]
                found.setdefault(group, []).append((keys[chosen], sizes))
        for group in sorted(found):
            keys = np.concatenate([one for one, _ in found[group]])
            sizes = np.concatenate([one for _, one in found[group]])
            order = np.argsort(keys, kind="stable")
            yield group, keys[order], sizes[order]


def _report(surveys: Surveys, groups: Mapping[str, Any]) -> dict[str, Any]:
    """Bytes there, bytes drawn, share and epochs, by group and by source."""
    report: dict[str, Any] = {}
    for column in ("group", "source"):
        there, drawn = _bytes_by(surveys, column), dict.fromkeys(_bytes_by(surveys, column), 0)
        for part in range(surveys.n_parts):
            copies = _copies(surveys, part, groups)
            n_bytes = surveys.column(part, "n_bytes") * copies
            numbers = surveys.column(part, column)
            for number, label in enumerate(surveys.column(part, f"{column}_names").tolist()):
                drawn[label] += int(n_bytes[numbers == number].sum())
        total = max(sum(drawn.values()), 1)
        report[f"by_{column}"] = {
            label: {
                "bytes": there[label],
                "bytes_drawn": drawn[label],
                "share": drawn[label] / total,
                "epochs": drawn[label] / max(there[label], 1),
            }
            for label in sorted(there)
        }
    return report


def _copies(surveys: Surveys, part: int, groups: Mapping[str, Any]) -> Numbers:
    """How often each document of a part is read."""
    keys, numbers = surveys.column(part, "key"), surveys.column(part, "group")
    copies = np.zeros(keys.size, dtype=np.int64)
    for number, label in enumerate(surveys.column(part, "group_names").tolist()):
        row = groups[label]
        one_more = keys <= np.uint64(row["last_drawn"]) if row["last_drawn"] >= 0 else False
        copies = np.where(numbers == number, row["whole"] + np.asarray(one_more, np.int64), copies)
    return copies
