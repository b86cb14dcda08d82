"""Find a package's file in simple indexes and link pages, as pip would but without running its code.

In: a requirement, a kind of file, PipSettings. Out: the file to fetch: its URL, name and digest.
Never: fetching the file itself, or building metadata by running a package.
"""

import sys
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal
from urllib.parse import unquote, urlsplit

import requests
from packaging.requirements import InvalidRequirement, Requirement
from packaging.specifiers import InvalidSpecifier, SpecifierSet
from packaging.tags import Tag, sys_tags
from packaging.utils import InvalidWheelFilename, canonicalize_name, parse_wheel_filename
from packaging.version import InvalidVersion, Version
from pypi_simple import (
    PYPI_SIMPLE_ENDPOINT,
    DistributionPackage,
    Link,
    NoSuchProjectError,
    ProjectPage,
    PyPISimple,
    UnsupportedContentTypeError,
    UnsupportedRepoVersionError,
)

from herd.foundation.errors import UserError
from herd.foundation.files import sha256_file
from herd.foundation.http_transfer import CONNECT_TIMEOUT_S, READ_TIMEOUT_S
from herd.foundation.pip_settings import PipSettings

Kind = Literal["wheel", "sdist"]
THIS_PYTHON = ".".join(str(number) for number in sys.version_info[:3])
UNREADABLE_PAGE = (UnsupportedContentTypeError, UnsupportedRepoVersionError, OSError, ValueError)


@dataclass(frozen=True)
class _Candidate:
    version: Version
    tag_rank: int  # 0 is the best of this interpreter's tags
    package: DistributionPackage


def parse_requirement(requirement: str) -> Requirement:
    """Parse `name==1.0` and the like. Raises UserError."""
    try:
        return Requirement(requirement)
    except InvalidRequirement as error:
        reason = str(error).splitlines()[0]
        raise UserError(
            f"{requirement!r} is not a requirement such as name==1.0: {reason}"
        ) from error


def find_present(
    wanted: Requirement, kind: Kind, directory: Path, sha256: str | None
) -> Path | None:
    """A file of an earlier call: by digest if one is given, else by the one version pinned."""
    if not directory.is_dir():
        return None
    pins = {s.version for s in wanted.specifier if s.operator == "=="}
    for path in sorted(directory.iterdir()):
        package = _package_of(path)
        if package.package_type != kind or not _is_project(package, wanted) or not path.is_file():
            continue
        if sha256_file(path) == sha256 if sha256 else package.version in pins:
            return path
    return None


def _package_of(path: Path) -> DistributionPackage:
    return DistributionPackage.from_link(Link(path.name, path.absolute().as_uri(), {}))


def _is_project(package: DistributionPackage, wanted: Requirement) -> bool:
    return canonicalize_name(package.project or "") == canonicalize_name(wanted.name)


def open_session(settings: PipSettings) -> requests.Session:
    """A session that connects as pip would: certificates, proxy, trusted hosts."""
    session = requests.Session()
    session.headers["User-Agent"] = "herd"
    session.verify = settings.cert or True
    session.cert = settings.client_cert
    if settings.proxy:
        session.proxies = {"http": settings.proxy, "https": settings.proxy}
    for host in settings.trusted_hosts:
        session.mount(f"https://{host}/", _UnverifiedAdapter())
    return session


class _UnverifiedAdapter(requests.adapters.HTTPAdapter):
    """For the hosts that pip was told to trust whatever their certificate."""

    def cert_verify(self, conn: Any, url: Any, verify: Any, cert: Any) -> None:
        super().cert_verify(conn, url, False, cert)  # type: ignore[no-untyped-call]


def choose(
    wanted: Requirement,
    kind: Kind,
    sha256: str | None,
    session: requests.Session,
    settings: PipSettings,
) -> DistributionPackage:
    """The best candidate of all places; a place that fails only matters if no other has one."""
    candidates: list[_Candidate] = []
    failures: list[str] = []
    for place, read in _places(wanted.name, session, settings):
        try:
            packages = read(place)
        except (requests.RequestException, *UNREADABLE_PAGE) as error:
            failures.append(f"{_without_credentials(place)} ({type(error).__name__})")
            continue
        candidates += _suitable(packages, wanted, kind)
    if not candidates:
        raise UserError(_nothing_found(wanted, kind, failures))
    if not wanted.specifier.prereleases:  # then only if there is nothing else, as in pip
        candidates = [c for c in candidates if not c.version.is_prerelease] or candidates
    best_version = max(candidate.version for candidate in candidates)
    best = [c for c in candidates if c.version == best_version]
    pinned = [c for c in best if sha256 and c.package.digests.get("sha256") == sha256]
    return min(pinned or best, key=lambda candidate: candidate.tag_rank).package


Read = Callable[[str], list[DistributionPackage]]


def _places(
    name: str, session: requests.Session, settings: PipSettings
) -> Iterator[tuple[str, Read]]:
    for place in settings.find_links:
        yield place, lambda place: _read_links(place, name, session)
    if settings.no_index:
        return
    for place in (settings.index_url or PYPI_SIMPLE_ENDPOINT, *settings.extra_index_urls):
        yield place, lambda place: _read_index(place, name, session)


def _read_index(index_url: str, name: str, session: requests.Session) -> list[DistributionPackage]:
    url = f"{index_url.rstrip('/')}/{canonicalize_name(name)}/"
    if urlsplit(url).scheme == "file":
        page = _local_path(url) / "index.html"
        return _parse_page(page.read_bytes(), name, url) if page.is_file() else []
    try:
        page_of = PyPISimple(index_url, session=session).get_project_page
        return page_of(name, timeout=(CONNECT_TIMEOUT_S, READ_TIMEOUT_S)).packages
    except NoSuchProjectError:
        return []


def _read_links(place: str, name: str, session: requests.Session) -> list[DistributionPackage]:
    if urlsplit(place).scheme in ("http", "https"):
        response = session.get(place, timeout=(CONNECT_TIMEOUT_S, READ_TIMEOUT_S))
        response.raise_for_status()
        return _parse_page(response.content, name, place)
    path = _local_path(place)
    if path.is_file():
        return _parse_page(path.read_bytes(), name, path.absolute().as_uri())
    return [_package_of(file) for file in sorted(path.iterdir())] if path.is_dir() else []


def _parse_page(html: bytes, name: str, url: str) -> list[DistributionPackage]:
    return ProjectPage.from_html(name, html, base_url=url).packages


def _local_path(place: str) -> Path:
    return Path(unquote(urlsplit(place).path) if place.startswith("file:") else place).expanduser()


def _suitable(
    packages: list[DistributionPackage], wanted: Requirement, kind: Kind
) -> Iterator[_Candidate]:
    tag_ranks = {tag: rank for rank, tag in enumerate(sys_tags())}
    pinned = any(s.operator in ("==", "===") for s in wanted.specifier)
    for package in packages:
        if package.package_type != kind or not _is_project(package, wanted):
            continue
        if Path(package.filename).name != package.filename or (package.is_yanked and not pinned):
            continue
        try:
            version = Version(package.version or "")
            rank = _tag_rank(package.filename, tag_ranks) if kind == "wheel" else 0
            python = SpecifierSet(package.requires_python or "")
        except (InvalidVersion, InvalidSpecifier, InvalidWheelFilename):
            continue
        if kind == "wheel" and not python.contains(THIS_PYTHON, prereleases=True):
            continue
        if rank is not None and wanted.specifier.contains(version, prereleases=True):
            yield _Candidate(version, rank, package)


def _tag_rank(filename: str, tag_ranks: Mapping[Tag, int]) -> int | None:
    """How well a wheel suits this interpreter; None if it does not."""
    tags = parse_wheel_filename(filename)[3]
    return min((tag_ranks[tag] for tag in tags if tag in tag_ranks), default=None)


def _nothing_found(wanted: Requirement, kind: Kind, failures: list[str]) -> str:
    what = "wheel for this machine" if kind == "wheel" else "source distribution"
    if failures:
        places = "; ".join(failures)
        return f"{wanted}: the package registry cannot be reached: {places}. Check the connection"
    return f"{wanted}: no {what} in the package registry as pip is configured; check the name and version"


def _without_credentials(url: str) -> str:
    scheme, separator, rest = url.partition("://")
    return f"{scheme}{separator}{rest.rpartition('@')[2]}"


def expected_digest(package: DistributionPackage, sha256: str | None) -> str | None:
    """The digest to hold a file to; None only for a file of this machine. Raises UserError."""
    stated = package.digests.get("sha256")
    if sha256 and stated and stated != sha256:
        raise UserError(
            f"{package.filename}: the registry states SHA-256 {stated}, expected {sha256}; "
            "do not use this file"
        )
    if not (sha256 or stated or package.url.startswith("file:")):
        raise UserError(
            f"{package.filename}: the registry states no SHA-256 for it; give the digest you expect"
        )
    return sha256 or stated
