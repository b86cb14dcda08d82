"""One file of one package from the Python package registry, without running any of its code.

`pip download` would run the build code of a source distribution to learn its metadata. This reads the
simple index (through pypi-simple), chooses a file, and downloads it against the digest the index states.
Which indexes, certificates, proxy and credentials: as pip is configured, asked of pip itself.
In: a requirement ("name==version"), a kind of file, a directory. Out: the path of the file, verified.
Never: unpacking, installing, or dependencies.
"""

import ast
import os
import subprocess
import sys
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Literal
from urllib.parse import unquote, urlsplit

import requests
from packaging.requirements import InvalidRequirement, Requirement
from packaging.specifiers import InvalidSpecifier, SpecifierSet
from packaging.tags import sys_tags
from packaging.utils import canonicalize_name, parse_wheel_filename
from packaging.version import InvalidVersion, Version
from pypi_simple import (
    PYPI_SIMPLE_ENDPOINT,
    DistributionPackage,
    NoSuchProjectError,
    ProjectPage,
    PyPISimple,
    UnsupportedContentTypeError,
    UnsupportedRepoVersionError,
)

from herd.foundation.download import download
from herd.foundation.errors import UserError
from herd.foundation.files import sha256_file

Kind = Literal["wheel", "sdist"]
PIP_CONFIG_TIMEOUT_S = 60.0
# Later sections win over earlier ones, as in pip: file sections first, then PIP_* variables.
PIP_SECTIONS = ("global", "download", ":env:")


@dataclass(frozen=True, kw_only=True, slots=True)
class PipSettings:
    """Where pip would look, and how it would connect."""

    index_urls: tuple[str, ...] = (PYPI_SIMPLE_ENDPOINT,)
    find_links: tuple[str, ...] = ()
    cert: str | None = None
    client_cert: str | None = None
    proxy: str | None = None
    trusted_hosts: tuple[str, ...] = ()


@dataclass(frozen=True)
class _Candidate:
    version: Version
    tag_rank: int  # 0 is the best of this interpreter's tags
    package: DistributionPackage


def fetch_distribution(
    requirement: str,
    *,
    kind: Kind,
    directory: Path | str,
    sha256: str | None = None,
    settings: PipSettings | None = None,
) -> Path:
    """Bring the newest matching wheel or source distribution into `directory`; return its path.

    A file that is there already is used again: by its digest when `sha256` is given, by its name when
    the requirement pins one version. Raises UserError offline, when nothing matches, or when the
    digest is not the one stated by the index and by `sha256`.
    """
    wanted = _parse(requirement)
    directory = Path(directory)
    present = _already_there(wanted, kind, directory, sha256)
    if present is not None:
        return present
    settings = settings or read_pip_settings()
    session = _open_session(settings)
    package = _choose(wanted, kind, sha256, session, settings)
    digest = _expected_digest(package, sha256)
    return download(package.url, directory / package.filename, sha256=digest, session=session)


def _parse(requirement: str) -> Requirement:
    try:
        return Requirement(requirement)
    except InvalidRequirement as error:
        raise UserError(f"{requirement!r} is not a requirement such as name==1.0: {error}") from error


def _already_there(
    wanted: Requirement, kind: Kind, directory: Path, sha256: str | None
) -> Path | None:
    if not directory.is_dir():
        return None
    for path in sorted(directory.iterdir()):
        package = DistributionPackage.from_file(path) if path.is_file() else None
        if package is None or not _is_named(package, wanted, kind):
            continue
        if sha256 is not None and sha256_file(path) == sha256:
            return path
        pins = [s.version for s in wanted.specifier if s.operator == "=="]
        if sha256 is None and package.version in pins:
            return path
    return None
