import re
from pathlib import Path

import pytest

from herd.tools.sandbox.syscalls import ALLOWED, EXAMINED, LAST_KNOWN, MACHINES, UNKNOWN, numbers

TABLES = {**ALLOWED, **EXAMINED, **UNKNOWN}
X86_64_HEADER = Path("/usr/include/x86_64-linux-gnu/asm/unistd_64.h")
GENERIC_HEADER = Path("/usr/include/asm-generic/unistd.h")


def header_numbers(path: Path, prefix: str) -> dict[str, int]:
    if not path.exists():
        pytest.skip(f"no {path} here")
    return {
        name: int(number)
        for name, number in re.findall(rf"#define {prefix}(\w+)\s+(\d+)\b", path.read_text())
    }


def test_the_numbers_of_x86_64_are_those_of_the_kernels_header() -> None:
    known = header_numbers(X86_64_HEADER, "__NR_")
    assert {name: known[name] for name in TABLES} == numbers(TABLES, "x86_64")


def test_the_numbers_of_aarch64_are_those_of_the_kernels_generic_header() -> None:
    known = header_numbers(GENERIC_HEADER, "__NR(?:3264)?_")
    known["newfstatat"] = known.pop("fstatat")  # its name where longs have 64 bits
    assert {name: known[name] for name in TABLES if name in known} == numbers(TABLES, "aarch64")


@pytest.mark.parametrize("machine", MACHINES)
def test_no_call_stands_twice(machine: str) -> None:
    assert len(ALLOWED) + len(EXAMINED) + len(UNKNOWN) == len(TABLES)
    found = list(numbers(TABLES, machine).values())
    assert len(found) == len(set(found))
    assert max(found) <= LAST_KNOWN


def test_no_call_is_allowed_by_which_a_program_leaves_its_place() -> None:
    forbidden = """
        fork vfork execve execveat socket connect bind listen accept accept4 sendmsg recvmsg sendmmsg ptrace
        process_vm_readv process_vm_writev pidfd_open pidfd_getfd pidfd_send_signal tkill rt_sigqueueinfo
        rt_tgsigqueueinfo mount umount2 pivot_root chroot unshare setns keyctl add_key request_key bpf
        perf_event_open userfaultfd io_uring_setup io_uring_enter io_uring_register kexec_load
        kexec_file_load init_module finit_module delete_module reboot swapon swapoff open_by_handle_at
        name_to_handle_at chmod fchmod fchmodat fchmodat2 chown fchown lchown fchownat utime utimes utimensat
        futimesat setxattr lsetxattr fsetxattr removexattr truncate inotify_init inotify_init1 fanotify_init
        memfd_create shmget shmat msgget semget mq_open setpriority sched_setaffinity sched_setscheduler
        setpgid setsid setuid setgid capset personality modify_ldt syslog acct quotactl settimeofday
        clock_settime adjtimex sethostname iopl ioperm process_madvise seccomp landlock_create_ruleset
        splice vmsplice tee fallocate timer_create
    """
    assert set(forbidden.split()) & set(TABLES) == set()
