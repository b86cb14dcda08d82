"""Where a result came from: versions, commit, hardware.

Out: a flat description for `environment.json`, benchmark lines and reports.
"""

import importlib.metadata
import platform
import subprocess
from pathlib import Path
from typing import Any

from herd.foundation.config import to_dict
from herd.foundation.devices import detect_hardware

PACKAGES = ("llama-herd", "torch", "numpy", "tokenizers", "tiktoken", "safetensors")
GIT_TIMEOUT_S = 5.0


def describe_environment() -> dict[str, Any]:
    """Return versions of Python and the packages that decide results, the commit, the hardware."""
    versions = {name: installed_version(name) for name in PACKAGES}
    return {
        "python": platform.python_version(),
        "system": f"{platform.system()} {platform.release()} {platform.machine()}",
        "versions": {name: version for name, version in versions.items() if version},
        "commit": git_commit(),
        "hardware": to_dict(detect_hardware()),
    }


def installed_version(distribution: str) -> str | None:
    """Return the installed version of a distribution, None if it is absent."""
    try:
        return importlib.metadata.version(distribution)
    except importlib.metadata.PackageNotFoundError:
        return None


def git_commit() -> str | None:
    """Return the commit of Herd's own checkout, with `+changes` if it was edited, else None."""
    source = Path(__file__).resolve().parent
    try:
        commit = _git(source, "rev-parse", "--short=12", "HEAD")
        changed = _git(source, "status", "--porcelain", "--untracked-files=no", "--", ":/src")
    except (OSError, subprocess.SubprocessError):
        return None
    return f"{commit}+changes" if changed else commit


def _git(directory: Path, *arguments: str) -> str:
    result = subprocess.run(
        ["git", "-C", str(directory), *arguments],
        capture_output=True,
        text=True,
        check=True,
        timeout=GIT_TIMEOUT_S,
    )
    return result.stdout.strip()
