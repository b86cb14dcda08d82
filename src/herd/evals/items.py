"""What a model was asked and what it said, question by question, fit to be kept and looked at.

In: the harness's samples. Out: one plain item a question, in the order of the questions. Never: a value
that JSON cannot hold.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from typing import Any

import numpy as np

Item = dict[str, Any]


def items_of(samples: Sequence[Mapping[str, Any]], cluster: str = "") -> list[Item]:
    """Return the items of a task: prompt, choices with log-likelihoods or answers, target, scores.

    Scores are named `metric,filter`. `id` is the harness's hash of the question, by which runs of two
    models are paired; `text` is all that a question's document says, without examples.
    """
    items: dict[int, Item] = {}
    for sample in samples:
        item = items.setdefault(sample["doc_id"], _begun(sample, cluster))
        for metric in sample["metrics"]:
            item["scores"][f"{metric},{sample['filter']}"] = _plain(sample[metric])
        if sample["filter"] != "none":
            item.setdefault("extracted", {})[sample["filter"]] = _plain(sample["filtered_resps"])
    return [items[number] for number in sorted(items)]


def is_item(value: object) -> bool:
    """Return whether what was read back has what every item has."""
    return (
        isinstance(value, dict)
        and isinstance(value.get("id"), str)
        and isinstance(value.get("number"), int)
        and isinstance(value.get("scores"), dict)
    )


def by_question(items: Iterable[Item]) -> dict[tuple[str, int], Item]:
    """Return items by their question: its id, and which time it is asked, for some files ask twice."""
    times: Counter[str] = Counter()
    found = {}
    for item in items:
        found[item["id"], times[item["id"]]] = item
        times[item["id"]] += 1
    return found


def _begun(sample: Mapping[str, Any], cluster: str) -> Item:
    arguments = sample["arguments"]
    prompts = [str(one[0]) for one in arguments]
    item: Item = {
        "id": sample["doc_hash"],
        "number": sample["doc_id"],
        "text": own_text(sample["doc"]),
        "prompt": prompts[0],
        "target": _target(sample),
        "scores": {},
    }
    if cluster:
        item["cluster"] = str(sample["doc"][cluster])
    first = sample["resps"][0][0]
    if isinstance(first, str):
        item["answers"] = list(sample["resps"][0])
    elif isinstance(first, int | float):
        item["loglikelihoods"] = [float(first)]
    else:
        item["choices"] = [str(one[1]) for one in arguments]
        item["loglikelihoods"] = [float(one[0][0]) for one in sample["resps"]]
        item["is_greedy"] = [bool(one[0][1]) for one in sample["resps"]]
        if len(set(prompts)) > 1:
            item["prompts"] = prompts
    return item


def own_text(doc: Any) -> str:
    """Return all strings of a document, a line each."""
    if isinstance(doc, str):
        return doc
    if isinstance(doc, Mapping):
        return "\n".join(filter(None, (own_text(one) for one in doc.values())))
    if isinstance(doc, list | tuple):
        return "\n".join(filter(None, (own_text(one) for one in doc)))
    return ""


def _target(sample: Mapping[str, Any]) -> Any:
    target = _plain(sample["target"])
    return target if isinstance(target, int | str | list) else str(target)


def _plain(value: Any) -> Any:
    if isinstance(value, np.generic):
        return value.item()
    if isinstance(value, Mapping):
        return {str(name): _plain(one) for name, one in value.items()}
    if isinstance(value, list | tuple | np.ndarray):
        return [_plain(one) for one in value]
    return value if isinstance(value, bool | int | float | str | None) else str(value)
