"""The parcel that walks from sources to shards: one text and where it came from."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from types import MappingProxyType
from typing import Literal, get_args

Kind = Literal["prose", "code", "page"]
Split = Literal["train", "held_out"]
SPLITS: tuple[Split, ...] = get_args(Split)
NO_META: Mapping[str, str] = MappingProxyType({})


@dataclass(frozen=True, kw_only=True, slots=True)
class Document:
    """A text, its name within its source, and what is known about it.

    `name` is unique within a corpus and stays the same from run to run. `language` is a BCP 47 tag
    or empty. Code and prose are cleaned by different rules; a page is HTML from which the text is
    still to be extracted. Keys of `meta` that stages read or write: `url`, `date` (ISO 8601, when it
    was fetched), `split`, `topic`, `quality` and other scores (decimal), `epoch` (of an up-sampled source).
    """

    text: str
    source: str
    name: str
    language: str = ""
    kind: Kind = "prose"
    meta: Mapping[str, str] = field(default_factory=lambda: NO_META)
