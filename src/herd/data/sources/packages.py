"""Text that comes with packages: source distributions of the registry, the standard library.

In: `pypi:NAME==VERSION`, `python:stdlib`. Out: an archive in the cache; the library's files.
Never: code of a package run.
"""

import sysconfig
from pathlib import Path

from herd.data.sources.file_set import LocalDirectory
from herd.foundation import UserError, cache_directory, fetch_distribution

PACKAGE_PREFIX, STDLIB = "pypi:", "python:stdlib"
# What a source distribution says about itself, rather than what it brings.
PACKAGING = (
    "*.egg-info/*", "readme*", "authors*", "contributors*", "change*", "history*", "news*", "copying*",
    "license*", "licence*", "notice*", "todo*", "install*", "metadata.*", "robots.txt",
    "requirements*.txt", "docs/*", "doc/*", "test/*", "tests/*",
)  # fmt: skip
# The standard library's tests are as long as the library, and hold broken files on purpose.
STDLIB_TESTS = ("test/*", "tests/*", "idle_test/*")


def fetch_package(location: str) -> Path:
    """Bring the source distribution of `pypi:NAME==VERSION` into the cache; return where it lies."""
    requirement = location.removeprefix(PACKAGE_PREFIX)
    return fetch_distribution(requirement, kind="sdist", directory=cache_directory() / "packages")


def stdlib_files() -> LocalDirectory:
    """Return the modules of the running Python. Raises UserError when it has no such folder."""
    root = Path(sysconfig.get_path("stdlib"))
    if not root.is_dir():
        raise UserError(f"{STDLIB}: this Python has no folder of modules at {root}")
    return LocalDirectory(root)
