"""Where pip would look for packages here, and how it would connect.

In: pip's own configuration (files and PIP_* variables), asked of `pip config`, so that its rules hold.
Out: PipSettings. Never: changing that configuration.
"""

import ast
import os
import subprocess
import sys
from collections.abc import Mapping
from dataclasses import dataclass

PIP_CONFIG_TIMEOUT_S = 60.0
# Later sections win over earlier ones, as in pip: file sections first, then PIP_* variables.
PIP_SECTIONS = ("global", "download", ":env:")


@dataclass(frozen=True, kw_only=True, slots=True)
class PipSettings:
    """Where pip would look, and how it would connect."""

    index_url: str | None = None  # None: the public registry
    extra_index_urls: tuple[str, ...] = ()
    no_index: bool = False
    find_links: tuple[str, ...] = ()
    cert: str | None = None
    client_cert: str | None = None
    proxy: str | None = None
    trusted_hosts: tuple[str, ...] = ()


def read_pip_settings() -> PipSettings:
    """What `pip config` says here; PIP_* variables alone where this Python has no pip."""
    command = [sys.executable, "-m", "pip", "config", "list"]
    try:
        done = subprocess.run(
            command, capture_output=True, text=True, timeout=PIP_CONFIG_TIMEOUT_S, check=True
        )
    except (OSError, subprocess.SubprocessError):
        return pip_settings_from(_pip_variables(os.environ))
    return pip_settings_from(_merge_sections(done.stdout))


def pip_settings_from(options: Mapping[str, str]) -> PipSettings:
    """Settings from pip's long option names and their values; lists are split at white space."""
    return PipSettings(
        index_url=options.get("index-url"),
        extra_index_urls=tuple(options.get("extra-index-url", "").split()),
        no_index=options.get("no-index", "").lower() in ("1", "true", "yes", "on"),
        find_links=tuple(options.get("find-links", "").split()),
        cert=options.get("cert"),
        client_cert=options.get("client-cert"),
        proxy=options.get("proxy"),
        trusted_hosts=tuple(options.get("trusted-host", "").split()),
    )


def _pip_variables(environment: Mapping[str, str]) -> dict[str, str]:
    return {
        name.removeprefix("PIP_").lower().replace("_", "-"): value
        for name, value in environment.items()
        if name.startswith("PIP_")
    }


def _merge_sections(listing: str) -> dict[str, str]:
    """Options of a `pip config list`, whose lines read section.option='value'."""
    options: dict[str, str] = {}
    lines = [line.partition("=") for line in listing.splitlines()]
    for section in PIP_SECTIONS:
        for key, _, value in lines:
            if key.startswith(f"{section}."):
                options[key.removeprefix(f"{section}.")] = str(ast.literal_eval(value))
    return options
