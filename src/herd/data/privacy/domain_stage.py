"""Documents of domains that are not wanted dropped: adult, harmful, full of private data (section 3.1.1).

The lists are the user's: a file each, one domain a line, `#` begins a comment; a subdomain of a listed
domain is listed. In: meta `url`. Out: fewer documents, the list named.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import ClassVar
from urllib.parse import urlsplit

from herd.data.document import Document
from herd.data.stage import Outcome, Transform
from herd.foundation import UserError

MAX_LIST_BYTES = 1 << 30


@dataclass(frozen=True, kw_only=True, slots=True)
class DomainFilter:
    """Drop documents from the domains in the files `list_paths`; others, and those without URL, stay."""

    name: ClassVar[str] = "domains"
    version: ClassVar[int] = 1
    list_paths: tuple[str, ...] = ()

    def open(self) -> Transform:
        """Read the lists and return the function. Raises UserError for one that cannot be read."""
        lists = {Path(path).stem: read_domains(Path(path)) for path in self.list_paths}

        def transform(documents: Sequence[Document]) -> Outcome:
            outcome = Outcome()
            for document in documents:
                host = host_of(document.meta.get("url", ""))
                listed = next(
                    (name for name, domains in lists.items() if is_listed(host, domains)), None
                )
                if listed is None:
                    outcome.documents.append(document)
                else:
                    outcome.drop(document, f"domain on the list {listed!r}", host)
            return outcome

        return transform


def read_domains(path: Path) -> frozenset[str]:
    """Read a list of domains. Raises UserError when it is missing, too large or no list."""
    try:
        if path.stat().st_size > MAX_LIST_BYTES:
            raise UserError(f"{path}: a list of domains of more than 1 GiB; cut it in several")
        lines = path.read_text(encoding="utf-8").splitlines()
    except (OSError, UnicodeError) as error:
        raise UserError(f"{path}: no readable list of domains: {error}") from error
    domains = (line.partition("#")[0].strip() for line in lines)
    return frozenset(_normalised(domain) for domain in domains if domain)


def host_of(url: str) -> str:
    """Return the host of a URL, lower case, internationalised names as they travel (punycode)."""
    try:
        host = urlsplit(url if "://" in url else f"//{url.lstrip('/')}").hostname or ""
    except ValueError:
        return ""
    return _normalised(host)


def is_listed(host: str, domains: frozenset[str]) -> bool:
    """Whether a host or a domain above it is among `domains`."""
    while host:
        if host in domains:
            return True
        host = host.partition(".")[2]
    return False


def _normalised(host: str) -> str:
    host = host.lower().strip(".").removeprefix("*.")
    if host.isascii():
        return host
    try:
        return host.encode("idna").decode("ascii")
    except UnicodeError:
        return host
