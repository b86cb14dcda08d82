"""Which files a program may open: rules for Landlock, the kernel's sandbox for unprivileged processes.

In: what may be read, what may be written beneath. Out: a ruleset as plain numbers, for `child.py` to apply.
Never: a right that this kernel's Landlock could govern and that is left ungoverned.

Landlock (Linux 5.13, landlock(7)) refuses every handled right that no rule grants. Later versions handle more
rights: moving between directories (ABI 2), truncation (3), TCP (4), ioctl of devices (5), abstract sockets
and signals (6). Seccomp refuses all of those by itself; here is the second lock on the same door.
"""

from __future__ import annotations

import ctypes
import os
from collections.abc import Iterable, Mapping
from dataclasses import dataclass

CREATE_RULESET = 444  # the same number on every machine
CREATE_RULESET_VERSION = 1

# In the order of the kernel's bits.
RIGHTS = (
    *("execute", "write_file", "read_file", "read_dir", "remove_dir", "remove_file", "make_char"),
    *("make_dir", "make_reg", "make_sock", "make_fifo", "make_block", "make_sym"),
    *("refer", "truncate", "ioctl_dev"),
)
N_RIGHTS = {1: 13, 2: 14, 3: 15, 4: 15, 5: 16, 6: 16}  # the first so many, by ABI
LAST_ABI = 6

READ_FILE = ("read_file",)
READ_TREE = ("read_file", "read_dir")
WRITE_FILE = ("read_file", "write_file")
WRITE_TREE = (
    *READ_TREE,
    "write_file",
    "remove_dir",
    "remove_file",
    "make_dir",
    "make_reg",
    "make_fifo",
    "make_sym",
    "refer",
    "truncate",
)


@dataclass(frozen=True, kw_only=True, slots=True)
class Ruleset:
    """What is handled, hence refused, in the kernel's bits; and the rights that paths are granted."""

    handled_fs: int
    handled_net: int
    scoped: int
    attribute_bytes: int
    rules: tuple[tuple[str, int], ...]


def landlock_abi() -> int:
    """Return the version of the kernel's Landlock; 0 where there is none or it is switched off."""
    libc = ctypes.CDLL(None, use_errno=True)
    return max(0, int(libc.syscall(CREATE_RULESET, None, 0, CREATE_RULESET_VERSION)))


def build_ruleset(abi: int, grants: Mapping[str, Iterable[str]]) -> Ruleset:
    """Return the ruleset for a Landlock of this version, which grants nothing but `grants`: paths and
    the names of rights. Rights that it does not know are those that it cannot refuse, and are left out.
    """
    abi = min(abi, LAST_ABI)
    known = RIGHTS[: N_RIGHTS[abi]]
    return Ruleset(
        handled_fs=_bits(known, known),
        handled_net=0b11 if abi >= 4 else 0,  # bind and connect of TCP
        scoped=0b11 if abi >= 6 else 0,  # abstract sockets, signals
        attribute_bytes=8 if abi < 4 else 16 if abi < 6 else 24,
        rules=tuple((path, _bits(rights, known)) for path, rights in grants.items()),
    )


def readable_grants(directories: Iterable[str], files: Iterable[str]) -> dict[str, tuple[str, ...]]:
    """Return the grants to read these, of those that there are."""
    grants = {path: READ_TREE for path in directories if os.path.isdir(path)}
    return {**grants, **{path: READ_FILE for path in files if os.path.exists(path)}}


def _bits(rights: Iterable[str], known: Iterable[str]) -> int:
    return sum(1 << RIGHTS.index(right) for right in set(rights) & set(known))
