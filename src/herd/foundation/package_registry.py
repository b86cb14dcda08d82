"""One file of one package from the Python package registry, without running any of its code.

`pip download` would run the build code of a source distribution to learn its metadata. This reads the
simple index (through pypi-simple), chooses a file, and downloads it against the digest the index states.
Which indexes, certificates, proxy and credentials: as pip is configured, asked of pip itself.
In: a requirement ("name==version"), a kind of file, a directory. Out: the path of the file, verified.
Never: unpacking, installing, or dependencies.
"""

from pathlib import Path
from typing import Literal

from herd.foundation.download import download
from herd.foundation.pip_settings import PipSettings, read_pip_settings

Kind = Literal["wheel", "sdist"]


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
    # Here, because HTTP and HTML libraries should not slow down what fetches nothing.
    from herd.foundation import simple_index

    wanted = simple_index.parse_requirement(requirement)
    directory = Path(directory)
    present = simple_index.find_present(wanted, kind, directory, sha256)
    if present is not None:
        return present
    settings = settings or read_pip_settings()
    with simple_index.open_session(settings) as session:
        package = simple_index.choose(wanted, kind, sha256, session, settings)
        digest = simple_index.expected_digest(package, sha256)
        return download(package.url, directory / package.filename, sha256=digest, session=session)
