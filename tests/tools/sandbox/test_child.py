"""Attacks from inside: what a program tries, and that the kernel refuses it."""

import errno
import json
import os
import platform
import signal
import socket
import stat
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import pytest

from herd.tools import Sandbox
from herd.tools.sandbox import child

# EBADF: a descriptor without rights; EAI_AGAIN: no socket to ask by.
REFUSALS = {errno.EPERM, errno.EACCES, errno.ENOSYS, errno.EXDEV, errno.EBADF, socket.EAI_AGAIN}
Said = Callable[[str], str]

ATTACKS = """
import ctypes, fcntl, os, resource, shutil, signal, socket, subprocess, sys
outside, file, parent, scratch = {outside!r}, {file!r}, {parent}, os.getcwd()
libc = ctypes.CDLL(None, use_errno=True)
def raw(result):
    if result == -1:
        raise OSError(ctypes.get_errno(), os.strerror(ctypes.get_errno()))
    return result
def call(number, *arguments):
    return raw(libc.syscall(number, *arguments))
def clear():
    os.chdir(scratch)
    for name in os.listdir():
        os.unlink(name)
for statement in {statements!r}:
    try:
        exec(statement)
    except OSError as error:
        if error.errno not in {refusals!r}:  # for want of a file, say, which proves nothing
            print("failed:", statement, error)
    else:
        print("ALLOWED:", statement)
    clear()
print("all tried")
"""


@pytest.fixture
def outside(tmp_path: Path) -> Path:
    """A directory of the parent's, with a file and a directory in it."""
    (tmp_path / "file").write_text("secret")
    (tmp_path / "directory").mkdir()
    return tmp_path


def attack(said: Said, outside: Path, statements: list[str]) -> None:
    """Run statements that must all be refused; the parent looks after its files itself."""
    before = state(outside)
    source = ATTACKS.format(
        outside=str(outside),
        file=str(outside / "file"),
        parent=os.getpid(),
        statements=statements,
        refusals=REFUSALS,
    )
    assert said(source) == "all tried\n"
    assert state(outside) == before


def state(directory: Path) -> object:
    status = os.stat(directory / "file")
    rest = status.st_mode, status.st_uid, status.st_nlink, status.st_size, status.st_mtime_ns
    return sorted(os.listdir(directory)), (directory / "file").read_text(), rest


READING = [
    "open('/etc/passwd')",
    "open('/etc/shadow')",
    "open('/etc/hosts')",
    "open('/proc/1/environ')",
    "open('/proc/self/environ')",
    "open(f'/proc/{parent}/environ')",
    "open(f'/proc/{parent}/mem', 'rb')",
    "open(f'/proc/{parent}/fd/0')",
    "open('/proc/self/mem', 'rb')",
    "open('/proc/self/root/etc/passwd')",
    "open('/proc/cpuinfo')",
    "open('/sys/kernel/notes', 'rb')",
    "open('/dev/tty')",
    "open('/dev/kmsg')",
    "os.listdir('/')",
    "os.listdir('/tmp')",
    "os.listdir('/dev/shm')",
    "os.listdir('..')",
    "os.listdir('/proc')",
    "open(file)",
    "os.listdir(outside)",
    "os.chdir('/'); open('etc/passwd')",
    "os.symlink(file, 'link'); open('link')",
    "os.symlink('/', 'root'); open('root' + file)",
    "os.symlink('/', 'root'); os.listdir('root/etc')",
    "open('/usr/lib/../../etc/passwd')",
    "os.open(file.rpartition('/')[2], os.O_RDONLY, dir_fd=os.open(outside, os.O_PATH))",
    "open(f'/dev/fd/{os.open(file, os.O_PATH)}')",
    "os.read(os.open(file, os.O_PATH), 9)",
    "os.open(file, 3)",
    "os.link(file, 'hard'); open('hard')",
    "os.rename(file, 'mine'); open('mine')",
    "os.getxattr(file, 'user.secret')",
    "call(303, -100, file.encode(), ctypes.create_string_buffer(256), ctypes.byref(ctypes.c_int()), 0)",
]
WRITING = [
    "open(file, 'w')",
    "open(file, 'a')",
    "open(file, 'r+')",
    "open(outside + '/new', 'x')",
    "open('/tmp/herd-was-here', 'w')",
    "open('/dev/shm/herd-was-here', 'w')",
    "open('/var/tmp/herd-was-here', 'w')",
    "open('../herd-was-here', 'w')",
    "os.unlink(file)",
    "os.rmdir(outside + '/directory')",
    "shutil.rmtree(outside)",
    "os.mkdir(outside + '/new')",
    "os.symlink('x', outside + '/new')",
    "os.mkfifo(outside + '/new')",
    "os.mknod('device', 0o20666, os.makedev(1, 3))",
    "os.mknod('disk', 0o60666, os.makedev(8, 0))",
    "os.mknod('socket', 0o140666)",
    "os.rename(file, outside + '/new')",
    "open('own', 'w'); os.rename('own', file)",
    "open('own', 'w'); os.rename('own', outside + '/new')",
    "open('own', 'w'); os.link('own', outside + '/new')",
    "os.link(file, 'hard')",
    "os.symlink(file, 'link'); open('link', 'w')",
    "os.symlink(outside, 'link'); open('link/new', 'w')",
    "os.symlink(outside, 'link'); os.unlink('link/file')",
    "os.truncate(file, 0)",
    "os.open(file, os.O_RDONLY | os.O_TRUNC)",
    "os.ftruncate(os.open(file, os.O_PATH), 0)",
    "os.chmod(file, 0o777)",
    "os.fchmod(os.open(os.__file__, os.O_RDONLY), 0o777)",
    "call(452, -100, file.encode(), 0o777, 0)",
    "os.chown(file, os.getuid(), os.getgid())",
    "os.utime(file, (1, 1))",
    "os.setxattr(file, 'user.herd', b'1')",
    "open(os.__file__, 'a')",
    "open(os.path.dirname(os.__file__) + '/herd_was_here.py', 'w')",
    "os.rmdir(os.getcwd())",
    "os.rename(os.getcwd(), os.getcwd() + '-moved')",
    "open(f'/proc/{parent}/oom_score_adj', 'w')",
    "open('/proc/self/oom_score_adj', 'w')",
    "open('/proc/sys/kernel/core_pattern', 'w')",
    "open('/sys/power/state', 'w')",
    "call(165, b'none', b'/mnt', b'tmpfs', 0, 0)",
    "os.chroot('.')",
    "call(162)",
]
NETWORK = [
    "socket.socket(socket.AF_INET, socket.SOCK_STREAM)",
    "socket.socket(socket.AF_INET, socket.SOCK_DGRAM)",
    "socket.socket(socket.AF_INET6, socket.SOCK_STREAM)",
    "socket.socket(socket.AF_INET, socket.SOCK_RAW, socket.IPPROTO_ICMP)",
    "socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)",
    "socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM)",
    "socket.socket(socket.AF_NETLINK, socket.SOCK_RAW)",
    "socket.socket(socket.AF_PACKET, socket.SOCK_RAW)",
    "socket.socket(38, socket.SOCK_SEQPACKET)",
    "socket.create_connection(('127.0.0.1', 22))",
    "socket.getaddrinfo('example.com', 80)",
    "socket.socketpair(socket.AF_UNIX, socket.SOCK_DGRAM)",
    "socket.socketpair()[0].connect('/run/docker.sock')",
    "socket.socketpair()[0].bind('mine')",
    "socket.socketpair()[0].sendto(b'x', '/dev/log')",
    "socket.socketpair()[0].sendmsg([b'x'], [(socket.SOL_SOCKET, socket.SCM_RIGHTS, b'0000')])",
    "call(41 if os.uname().machine == 'x86_64' else 198, 2, 1, 0)",
    "call(425, 1, ctypes.create_string_buffer(256))",
]
PROCESSES = [
    "os.fork()",
    "os.forkpty()",
    "subprocess.run(['true'])",
    "os.posix_spawn('/bin/true', ['true'], {})",
    "os.execv('/bin/true', ['true'])",
    "os.execv(sys.executable, ['python', '-c', '1'])",
    "call(435, ctypes.create_string_buffer(64), 64)",
    "os.kill(parent, 0)",
    "os.kill(parent, signal.SIGKILL)",
    "os.kill(os.getppid(), signal.SIGSTOP)",
    "os.kill(1, 0)",
    "os.kill(-1, 0)",
    "os.kill(0, 0)",
    "os.killpg(os.getpgid(0), 0)",
    "call(434, parent, 0)",
    "raw(libc.sigqueue(parent, signal.SIGTERM, None))",
    "raw(libc.tgkill(parent, parent, signal.SIGKILL))",
    "fcntl.fcntl(0, fcntl.F_SETOWN, parent)",
    "fcntl.fcntl(0, 10, signal.SIGKILL)",
    "fcntl.lockf(open('own', 'w'), fcntl.LOCK_EX)",
    "fcntl.ioctl(0, 0x8901, parent.to_bytes(4, 'little'))",
    "raw(libc.ptrace(0, 0, 0, 0))",
    "raw(libc.ptrace(16, parent, 0, 0))",
    "raw(libc.process_vm_readv(parent, ctypes.create_string_buffer(16), 1, ctypes.create_string_buffer(16), 1, 0))",
    "raw(libc.prctl(1, 0, 0, 0, 0))",
    "raw(libc.prctl(4, 0, 0, 0, 0))",
    "raw(libc.prctl(36, 1, 0, 0, 0))",
    "raw(libc.unshare(0x10000000))",
    "raw(libc.unshare(0x400))",
    "os.setsid()",
    "os.setpgid(0, 0)",
    "os.setuid(os.getuid())",
    "os.setpriority(os.PRIO_PROCESS, parent, 19)",
    "os.sched_setaffinity(parent, {0})",
    "resource.prlimit(parent, resource.RLIMIT_NOFILE, (1, 1))",
    "os.memfd_create('hidden')",
    "raw(libc.shmget(0, 4096, 0o1666))",
    "raw(libc.msgget(0, 0o1666))",
    "raw(libc.semget(0, 1, 0o1666))",
    "raw(libc.inotify_init())",
    "call(250, 0, 0)",
    "call(321, 0, 0, 0)",
    "call(298, 0, 0, -1, -1, 0)",
    "call(323, 0)",
    "os.sched_setscheduler(0, os.SCHED_BATCH, os.sched_param(0))",
    "os.nice(-5)",
]


def test_it_reads_nothing_of_anybody_elses(said: Said, outside: Path) -> None:
    attack(said, outside, READING)


def test_it_writes_nothing_but_its_own(said: Said, outside: Path) -> None:
    attack(said, outside, WRITING)
    for directory in ("/tmp", "/dev/shm", "/var/tmp"):
        assert not Path(directory, "herd-was-here").exists()


def test_it_has_no_network(said: Said, outside: Path) -> None:
    attack(said, outside, NETWORK)


def test_it_is_alone(said: Said, outside: Path) -> None:
    attack(said, outside, PROCESSES)


def test_the_parents_open_files_are_not_inherited(
    sandbox: Sandbox, outside: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("HERD_TOKEN", "secret")
    source = """
import os
def is_open(descriptor):
    try:
        return bool(os.fstat(descriptor))
    except OSError:
        return False
print([each for each in range(10_000) if is_open(each)], sorted(os.environ))
"""
    pair, other = socket.socketpair()
    with open(outside / "file") as file, pair, other:
        os.set_inheritable(file.fileno(), True)
        os.set_inheritable(pair.fileno(), True)
        said = sandbox.run(source).stdout
    names = "'HOME', 'LANG', 'MALLOC_ARENA_MAX', 'PATH', 'PYTHONHASHSEED', 'TMPDIR'"
    assert said == f"[0, 1, 2] [{names}]\n"


def test_a_shell_starts_nothing(said: Said) -> None:
    source = """
import os
print(os.system("touch made") != 0, os.listdir("."))
"""
    assert said(source) == "True []\n"


def test_nothing_is_left_of_root(said: Said) -> None:
    source = """
import ctypes
data = (ctypes.c_uint32 * 6)(*[0xFF] * 6)
libc = ctypes.CDLL(None, use_errno=True)
print(libc.prctl(39, 0, 0, 0, 0), ctypes.get_errno())
import resource
try:
    resource.setrlimit(resource.RLIMIT_AS, (-1, -1))
except (OSError, ValueError) as error:
    print("refused")
"""
    assert said(source) == "-1 1\nrefused\n"


@pytest.mark.skipif(platform.machine() != "x86_64", reason="machine code of x86_64")
@pytest.mark.parametrize(
    "machine_code",
    [
        "b8140000 00cd80 c3",  # getpid, as 32-bit programs call it
        "b827000040 0f05 c3",  # getpid of x32
    ],
)
def test_the_other_ways_into_the_kernel_end_the_program(
    sandbox: Sandbox, machine_code: str
) -> None:
    source = f"""
import ctypes, mmap
code = mmap.mmap(-1, 4096, prot=mmap.PROT_READ | mmap.PROT_WRITE | mmap.PROT_EXEC)
code.write(bytes.fromhex({machine_code.replace(" ", "")!r}))
print("called", ctypes.CFUNCTYPE(ctypes.c_int)(ctypes.addressof(ctypes.c_char.from_buffer(code)))())
"""
    outcome = sandbox.run(source)
    assert outcome.status == "killed", outcome
    assert "called" not in outcome.stdout


def test_threads_semaphores_pairs_of_sockets_and_an_event_loop_work(said: Said) -> None:
    source = """
import asyncio, concurrent.futures, threading, socket
with concurrent.futures.ThreadPoolExecutor(8) as pool:
    print(sum(pool.map(lambda x: x * x, range(100))))
async def answer():
    await asyncio.sleep(0.001)
    return 42
print(asyncio.run(answer()))
left, right = socket.socketpair()
left.sendall(b"hello")
print(right.recv(5))
"""
    assert said(source) == "328350\n42\nb'hello'\n"


def test_a_database_in_memory_works(said: Said) -> None:
    source = """
import sqlite3
database = sqlite3.connect(":memory:")
database.execute("create table t (x)")
database.executemany("insert into t values (?)", [(1,), (2,)])
print(database.execute("select sum(x) from t").fetchone())
"""
    assert said(source) == "(3,)\n"


def test_its_own_directory_is_its_own(said: Said) -> None:
    source = """
import os, shutil, tempfile
print(os.listdir("."), os.path.realpath(tempfile.gettempdir()) == os.getcwd())
os.makedirs("a/b")
with open("a/b/file", "w+") as file:
    file.write("hello")
    file.truncate(4)
os.rename("a/b/file", "moved")
os.symlink("moved", "link")
os.link("moved", "a/hard")
os.mkfifo("pipe")
print(open("link").read(), open("a/hard").read())
shutil.rmtree("a")
os.unlink("link")
print(sorted(os.listdir(".")))
"""
    assert said(source) == "[] True\nhell hell\n['moved', 'pipe']\n"


def test_most_of_the_standard_library_can_be_imported(said: Said) -> None:
    source = """
import sys
skip = {"antigravity", "idlelib", "this", "tkinter", "turtle", "turtledemo", "lib2to3"}
failed = {}
import warnings
warnings.simplefilter("ignore")
for name in sorted(sys.stdlib_module_names - skip):
    if name.startswith("_"):
        continue
    try:
        __import__(name)
    except ModuleNotFoundError:  # not built here, or of another system
        pass
    except BaseException as error:
        failed[name] = repr(error)
print(failed)
"""
    assert said(source) == "{}\n"


def test_nobodys_packages_can_be_imported(said: Said) -> None:
    source = """
for name in ("herd", "torch", "numpy", "pytest", "child", "sandbox"):
    try:
        __import__(name)
    except ImportError:
        print("no", name)
"""
    assert said(source).split("\n")[:-1] == [
        f"no {name}" for name in ("herd", "torch", "numpy", "pytest", "child", "sandbox")
    ]


def start_child(order: bytes) -> subprocess.CompletedProcess[bytes]:
    report, childs_end = os.pipe()
    command = [sys.executable, "-P", "-S", child.__file__, str(childs_end)]
    ended = subprocess.run(command, input=order, capture_output=True, pass_fds=(childs_end,))
    os.close(childs_end)
    with os.fdopen(report, "rb") as file:
        ended.stdout += b"|" + file.read()
    return ended


@pytest.mark.parametrize("order", [b"", b"nonsense", json.dumps({"parts": []}).encode()])
def test_an_order_that_cannot_be_read_runs_nothing(order: bytes) -> None:
    ended = start_child(order)
    assert ended.returncode == child.REFUSED
    assert not ended.stdout.endswith(child.READY)


def test_what_a_program_makes_is_not_more_than_files_directories_links_and_pipes(
    said: Said,
) -> None:
    source = """
import os
os.umask(0)
print(oct(os.fstat(os.open("setuid", os.O_CREAT | os.O_WRONLY, 0o4755)).st_mode), os.getcwd())
"""
    mode, scratch = said(source).split()
    assert stat.S_ISREG(int(mode, 8))
    assert not os.path.lexists(scratch)


def test_stdin_is_empty(said: Said) -> None:
    assert said("import sys; print(repr(sys.stdin.read()))") == "''\n"


def test_signals_to_itself_are_its_own_affair(said: Said) -> None:
    source = """
import os, signal
signal.signal(signal.SIGTERM, lambda number, frame: print("caught", number))
os.kill(os.getpid(), signal.SIGTERM)
signal.raise_signal(signal.SIGTERM)
"""
    assert said(source) == f"caught {signal.SIGTERM.value}\n" * 2
