"""URL deduplication: of all versions of a page the latest stays (Llama 3, section 3.1.1)."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import ClassVar
from urllib.parse import parse_qsl, urlencode, urlsplit, urlunsplit

import numpy as np
from numpy.typing import NDArray

from herd.data.dedup.kept_instead import Places, kept_instead, open_kept_instead, survivors_of
from herd.data.dedup.key_ranges import NO_KEY, key_of
from herd.data.dedup.same_key import keep_one_of_each
from herd.data.document import Document
from herd.data.stage import Array, RuledTransform, Survey, Surveys

# What says whence a visitor came, and not what is shown.
TRACKING = frozenset(
    {"fbclid", "gclid", "dclid", "msclkid", "mc_cid", "mc_eid", "igshid", "ref_src"}
)
TRACKING_PREFIX = "utm_"
DEFAULT_PORTS = {"http": 80, "https": 443}


@dataclass(frozen=True, kw_only=True, slots=True)
class UrlDedup:
    """Keep the latest document of each `meta["url"]`; those without one are not touched."""

    name: ClassVar[str] = "url"
    version: ClassVar[int] = 1

    def open_survey(self) -> Survey:
        """Return the survey of a part: a hash of the URL and a time for each document."""
        return _UrlsAndTimes()

    def rule(self, surveys: Surveys, ruling: Path, memory_bytes: int) -> Mapping[str, int]:
        """Write which document is kept for which."""
        places = Places.of(surveys, "key")
        with kept_instead(ruling, surveys, places) as kept:
            n_dropped = keep_one_of_each(surveys, places, kept, memory_bytes, rank="time_s")
        return {"older versions": n_dropped}

    def open(self, ruling: Path, part: int) -> RuledTransform:
        """Return the function that leaves a part's older versions out."""
        return open_kept_instead(ruling, part, "same URL")

    def survivors(self, ruling: Path, part: int) -> NDArray[np.bool_]:
        """Return which documents of a part stay."""
        return survivors_of(ruling, part)


def normalised_url(url: str) -> str:
    """Return a URL without what does not change the page: fragment, tracking, default port, `www.`,
    a slash at the end, http or https. One that cannot be parsed is returned as it is.
    """
    try:
        parts = urlsplit(url.strip())
        host = (parts.hostname or "").removeprefix("www.").rstrip(".")
        if parts.port and parts.port != DEFAULT_PORTS.get(parts.scheme):
            host = f"{host}:{parts.port}"
        kept = [
            (key, value)
            for key, value in parse_qsl(parts.query, keep_blank_values=True)
            if key not in TRACKING and not key.startswith(TRACKING_PREFIX)
        ]
    except ValueError:
        return url.strip()
    return urlunsplit(("", host, parts.path.rstrip("/"), urlencode(kept), ""))


def time_s(date: str) -> int:
    """Return an ISO 8601 date as seconds since 1970, and 0 for what is none."""
    try:
        moment = datetime.fromisoformat(date.strip())
        aware = moment if moment.tzinfo else moment.replace(tzinfo=UTC)
        return int(aware.timestamp())
    except (ValueError, OverflowError):
        return 0


class _UrlsAndTimes:
    def __init__(self) -> None:
        self._keys: list[int] = []
        self._times: list[int] = []

    def add(self, documents: Sequence[Document]) -> None:
        for document in documents:
            url = document.meta.get("url", "")
            self._keys.append(key_of(normalised_url(url)) if url else int(NO_KEY))
            self._times.append(time_s(document.meta.get("date", "")))

    def columns(self) -> Mapping[str, Array]:
        return {
            "key": np.array(self._keys, dtype=np.uint64),
            "time_s": np.array(self._times, dtype=np.int64),
        }
