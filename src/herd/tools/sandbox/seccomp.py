"""Which system calls a program may make: a filter in the kernel's own little machine code.

In: a machine's name. Out: instructions for `child.py` to install. Never: a call that nobody allowed.

seccomp(2) runs the filter at every system call. It sees the call's number and its arguments, but not what
pointers point to; so a call that takes what matters behind a pointer (clone3, openat2, sendmsg) is refused
whole. Refused are, with it: a second process in any form, another program in the place of this one, sockets
but for a connected pair, signals and limits for anybody else, and all that a kernel has for administrators.
"""

from __future__ import annotations

import errno
import struct
from collections.abc import Iterable
from dataclasses import dataclass

from herd.tools.sandbox.syscalls import ALLOWED, EXAMINED, LAST_KNOWN, UNKNOWN, numbers

# linux/audit.h: the calling convention that a number belongs to.
ARCHITECTURES = {"x86_64": 0xC000003E, "aarch64": 0xC00000B7}
X32_BIT = 0x40000000  # x86_64's second set of calls, with the same architecture

# linux/bpf_common.h
LOAD, AND, JUMP_EQUAL, JUMP_AT_LEAST, JUMP_ABOVE, RETURN = 0x20, 0x54, 0x15, 0x35, 0x25, 0x06
# struct seccomp_data: number, architecture, instruction pointer, six arguments of 64 bits
NUMBER_AT, ARCHITECTURE_AT, ARGUMENTS_AT = 0, 4, 16
ALLOW, KILL, ERROR = 0x7FFF0000, 0x80000000, 0x00050000

CLONE_FILES, CLONE_THREAD = 0x400, 0x10000
CLONE_NEW = 0x7E020080  # new namespaces of any kind
CLOSE_RANGE_CLOEXEC = 4
O_ACCMODE, O_TRUNC = 0o3, 0o1000
TERMINAL_QUERIES = (0x5401, 0x802C542A, 0x5413)  # TCGETS, TCGETS2, TIOCGWINSZ
FILE_IOCTLS = (0x541B, 0x5421, 0x5450, 0x5451)  # FIONREAD, FIONBIO, FIONCLEX, FIOCLEX
# F_DUPFD to F_SETFL, F_DUPFD_CLOEXEC, F_GETPIPE_SZ. Without F_SETOWN and F_SETSIG, by which the kernel sends any
# signal to any process of the same user, and without locks on bytes, any number of which it keeps in its memory.
FILE_CONTROLS = (*range(5), 1030, 1032)
PROCESS_CONTROLS = (15, 16, 0x53564D41)  # PR_SET_NAME, PR_GET_NAME, PR_SET_VMA
AF_UNIX, SOCK_STREAM, SOCK_TYPE_MASK = 1, 1, 0xF

Instruction = tuple[int, int, int, int]  # code, jump if true, jump if false, value


@dataclass(frozen=True, kw_only=True, slots=True)
class Filter:
    """The instructions as the kernel takes them, and those whose value is to be the process's own id."""

    code: bytes
    own_pid_slots: tuple[int, ...]


def build_filter(machine: str) -> Filter:
    """Return the filter for a machine of `MACHINES`."""
    program: list[Instruction] = [
        (LOAD, 0, 0, ARCHITECTURE_AT),
        (JUMP_EQUAL, 1, 0, ARCHITECTURES[machine]),
        (RETURN, 0, 0, KILL),
        (LOAD, 0, 0, NUMBER_AT),
    ]
    if machine == "x86_64":
        program += [(JUMP_AT_LEAST, 0, 1, X32_BIT), (RETURN, 0, 0, KILL)]
    for number in numbers(ALLOWED, machine).values():
        program += [(JUMP_EQUAL, 0, 1, number), (RETURN, 0, 0, ALLOW)]
    for number in numbers(UNKNOWN, machine).values():
        program += [(JUMP_EQUAL, 0, 1, number), (RETURN, 0, 0, ERROR | errno.ENOSYS)]
    own_pid_slots = []
    for name, number in numbers(EXAMINED, machine).items():
        look = EXAMINATIONS[name]
        program += [(JUMP_EQUAL, 0, len(look), number)]
        if name in ("kill", "tgkill"):
            own_pid_slots.append(len(program) + 1)
        program += look
    program += [
        (JUMP_ABOVE, 0, 1, LAST_KNOWN),
        (RETURN, 0, 0, ERROR | errno.ENOSYS),
        (RETURN, 0, 0, ERROR | errno.EPERM),
    ]
    code = b"".join(struct.pack("=HBBI", *instruction) for instruction in program)
    return Filter(code=code, own_pid_slots=tuple(own_pid_slots))


REFUSE: Instruction = (RETURN, 0, 0, ERROR | errno.EPERM)
PERMIT: Instruction = (RETURN, 0, 0, ALLOW)


def _load(argument: int) -> Instruction:
    """Load the low half, which is all that the kernel reads of an int (both machines are little-endian)."""
    return LOAD, 0, 0, ARGUMENTS_AT + 8 * argument


def _one_of(argument: int, values: Iterable[int], mask: int = 0xFFFFFFFF) -> list[Instruction]:
    look = [_load(argument), (AND, 0, 0, mask)] if mask != 0xFFFFFFFF else [_load(argument)]
    for value in values:
        look += [(JUMP_EQUAL, 0, 1, value), PERMIT]
    return [*look, REFUSE]


def _none_of(argument: int, values: Iterable[int], mask: int) -> list[Instruction]:
    look: list[Instruction] = [_load(argument), (AND, 0, 0, mask)]
    for value in values:
        look += [(JUMP_EQUAL, 0, 1, value), REFUSE]
    return [*look, PERMIT]


def _open(argument: int) -> list[Instruction]:
    # Truncation through a file opened for reading, and files opened for ioctl only, are what Landlock
    # before ABI 3 and 5 does not see.
    return _none_of(argument, (O_TRUNC, O_ACCMODE, O_ACCMODE | O_TRUNC), O_ACCMODE | O_TRUNC)


def _pair() -> list[Instruction]:
    # A datagram socket could send to any address; a connected stream cannot.
    family: list[Instruction] = [_load(0), (JUMP_EQUAL, 1, 0, AF_UNIX), REFUSE]
    return [*family, *_one_of(1, (SOCK_STREAM,), SOCK_TYPE_MASK)]


def _no_address() -> list[Instruction]:
    high: Instruction = (LOAD, 0, 0, ARGUMENTS_AT + 8 * 4 + 4)
    return [high, (JUMP_EQUAL, 1, 0, 0), REFUSE, *_one_of(4, (0,))]


EXAMINATIONS: dict[str, list[Instruction]] = {
    "open": _open(1),
    "openat": _open(2),
    "fcntl": _one_of(1, FILE_CONTROLS),
    "ioctl": _one_of(1, (*TERMINAL_QUERIES, *FILE_IOCTLS)),
    # A thread, and one that shares its open files: disk_use.py looks at one table only.
    "clone": _one_of(0, (CLONE_THREAD | CLONE_FILES,), CLONE_THREAD | CLONE_FILES | CLONE_NEW),
    "close_range": _one_of(2, (0, CLOSE_RANGE_CLOEXEC)),
    "kill": _one_of(0, (0,)),  # its own id is put in by the process
    "tgkill": _one_of(0, (0,)),
    "prlimit64": _one_of(0, (0,)),
    "prctl": _one_of(0, PROCESS_CONTROLS),
    "socketpair": _pair(),
    "sendto": _no_address(),
}
