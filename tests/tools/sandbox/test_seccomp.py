import errno
import struct

import pytest

from herd.tools.sandbox.seccomp import ARCHITECTURES, build_filter
from herd.tools.sandbox.syscalls import ALLOWED, EXAMINED, MACHINES, UNKNOWN, numbers

ALLOW, KILL, ERROR = 0x7FFF0000, 0x80000000, 0x00050000
REFUSED = ERROR | errno.EPERM
OWN_PID, THREAD = 4321, 0x3D0F00  # glibc's flags for a new thread


def verdict(machine: str, number: int, *arguments: int, architecture: int | None = None) -> int:
    """Run the filter as the kernel would: an oracle for its code, on any machine."""
    built = build_filter(machine)
    code = [list(row) for row in struct.iter_unpack("=HBBI", built.code)]
    for slot in built.own_pid_slots:
        code[slot][3] = OWN_PID
    words = [*arguments, 0, 0, 0, 0, 0, 0][:6]
    audit = ARCHITECTURES[machine] if architecture is None else architecture
    data = struct.pack("<IIQ6Q", number, audit, 0, *(word % 2**64 for word in words))
    accumulator, at = 0, 0
    while True:
        operation, if_true, if_false, value = code[at]
        at += 1
        if operation == 0x20:
            (accumulator,) = struct.unpack_from("<I", data, value)
        elif operation == 0x54:
            accumulator &= value
        elif operation == 0x06:
            return value
        else:
            holds = {
                0x15: accumulator == value,
                0x35: accumulator >= value,
                0x25: accumulator > value,
            }[operation]
            at += if_true if holds else if_false


def call(machine: str, name: str, *arguments: int) -> int:
    return verdict(machine, numbers(EXAMINED, machine)[name], *arguments)


both = pytest.mark.parametrize("machine", MACHINES)


@both
def test_exactly_the_calls_of_the_table_are_allowed(machine: str) -> None:
    allowed = set(numbers(ALLOWED, machine).values())
    examined = set(numbers(EXAMINED, machine).values())
    for number in set(range(600)) - examined:
        assert (verdict(machine, number) == ALLOW) == (number in allowed), number


@both
def test_calls_that_nobody_looked_at_answer_as_on_an_older_kernel(machine: str) -> None:
    unknown = [*numbers(UNKNOWN, machine).values(), 451, 469, 10_000]
    assert {verdict(machine, number) for number in unknown} == {ERROR | errno.ENOSYS}


@both
@pytest.mark.parametrize("architecture", [0x40000003, 0x40000028, 0xC0000015, 0])
def test_another_architectures_calls_end_the_process(machine: str, architecture: int) -> None:
    assert verdict(machine, 0, architecture=architecture) == KILL


@pytest.mark.parametrize("number", [0x40000000, 0x40000000 + 39, 0xFFFFFFFF])
def test_the_x32_calls_of_x86_64_end_the_process(number: int) -> None:
    assert verdict("x86_64", number) == KILL


@both
def test_a_thread_is_allowed_and_nothing_else_that_clone_can_make(machine: str) -> None:
    assert call(machine, "clone", THREAD) == ALLOW
    new_namespaces = [0x80, 0x20000, *(1 << bit for bit in range(25, 31))]
    others = [0, 17, 0x4100 | 17, THREAD & ~0x10000, THREAD & ~0x400]
    for flags in [*others, *(THREAD | new for new in new_namespaces)]:
        assert call(machine, "clone", flags) == REFUSED, hex(flags)


@both
@pytest.mark.parametrize("name", ["kill", "tgkill"])
def test_signals_are_for_the_process_itself(machine: str, name: str) -> None:
    assert call(machine, name, OWN_PID, 9) == ALLOW
    for pid in (0, 1, -1, -OWN_PID, OWN_PID + 1):
        assert call(machine, name, pid, 9) == REFUSED, pid


@both
def test_files_are_not_truncated_by_opening_them_for_reading(machine: str) -> None:
    for flags in (0, 1, 2, 0o1001, 0o1002, 0o1102):
        assert call(machine, "openat", 0, 0, flags) == ALLOW, oct(flags)
    for flags in (0o1000, 3, 0o1003, 0o1100, 0o2000003):
        assert call(machine, "openat", 0, 0, flags) == REFUSED, oct(flags)


def test_open_has_its_flags_one_argument_earlier() -> None:
    assert call("x86_64", "open", 0, 2) == ALLOW
    assert call("x86_64", "open", 0, 0o1000) == REFUSED


@both
def test_a_stream_to_itself_is_the_only_socket(machine: str) -> None:
    assert call(machine, "socketpair", 1, 1) == ALLOW
    assert call(machine, "socketpair", 1, 0o2000001) == ALLOW
    for family, kind in [(1, 2), (1, 5), (2, 1), (16, 3), (17, 1)]:
        assert call(machine, "socketpair", family, kind) == REFUSED


@both
def test_nothing_is_sent_to_an_address(machine: str) -> None:
    assert call(machine, "sendto", 3, 0, 0, 0, 0) == ALLOW
    for address in (1, 2**32, 0x7FFF_0000_0000):
        assert call(machine, "sendto", 3, 0, 0, 0, address) == REFUSED


@both
def test_the_kernel_sends_no_signal_for_it_through_a_file(machine: str) -> None:
    assert call(machine, "fcntl", 0, 3) == ALLOW
    for command in (6, 7, 8, 10, 15, 37, 38, 1024, 1026, 1031):
        assert call(machine, "fcntl", 0, command) == REFUSED


@both
def test_only_questions_are_asked_of_a_terminal(machine: str) -> None:
    assert call(machine, "ioctl", 0, 0x5401) == ALLOW
    for command in (0x5412, 0x541C, 0x40086602, 0x8901):
        assert call(machine, "ioctl", 0, command) == REFUSED


@both
def test_neither_limits_of_others_nor_the_end_with_the_parent_can_be_changed(machine: str) -> None:
    assert call(machine, "prlimit64", 0, 7) == ALLOW
    assert call(machine, "prlimit64", 1, 7) == REFUSED
    for option in (1, 4, 22, 23, 35, 36, 38, 47):
        assert call(machine, "prctl", option) == REFUSED


@both
def test_the_table_of_open_files_stays_one(machine: str) -> None:
    assert call(machine, "close_range", 3, 9, 0) == ALLOW
    assert call(machine, "close_range", 3, 9, 2) == REFUSED


@both
def test_the_filter_fits_into_the_kernel(machine: str) -> None:
    assert len(build_filter(machine).code) // 8 <= 4096
