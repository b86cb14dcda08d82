"""Where things that can be fetched or measured again are kept between runs.

Out: a path following the XDG convention (`~/.cache/herd` unless the user's desktop says otherwise).
"""

import os
from pathlib import Path


def cache_directory() -> Path:
    """Return the directory of Herd's cache; it may not exist yet."""
    base = os.environ.get("XDG_CACHE_HOME", "")
    return (Path(base) if os.path.isabs(base) else Path.home() / ".cache") / "herd"
