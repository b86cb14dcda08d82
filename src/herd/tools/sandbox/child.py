"""What runs in the new process: lock it, then run the program. Started by path, never imported by the package.

In: an order on standard input, the descriptor to report to as the one argument. Out: "ready" reported, then
whatever the program does; in its place the reason, and exit code 125, where a lock does not close.
Never: a line of the program before every lock is closed; anything but the standard library.
"""

import builtins
import ctypes
import marshal
import os
import resource
import sys
from typing import Any, NoReturn

READY = b"ready\n"
REFUSED = 125
PR_SET_PDEATHSIG, PR_SET_SECCOMP, PR_SET_NO_NEW_PRIVS, PR_CAP_AMBIENT = 1, 22, 38, 47
SECCOMP_MODE_FILTER, PR_CAP_AMBIENT_CLEAR_ALL, SIGKILL = 2, 4, 9
LINUX_CAPABILITY_VERSION_3 = 0x20080522
LANDLOCK_CREATE_RULESET, LANDLOCK_ADD_RULE, LANDLOCK_RESTRICT_SELF = 444, 445, 446
LANDLOCK_RULE_PATH_BENEATH = 1

libc = ctypes.CDLL(None, use_errno=True)


def main(report: int) -> None:
    """Read the order, close the locks, say so, run the program."""
    try:
        order = marshal.loads(read_all(0))
        close_locks(order, report)
    except BaseException as error:
        os.write(report, f"{type(error).__name__}: {error}".encode(errors="replace"))
        os._exit(REFUSED)
    os.write(report, READY)
    if not order["token"]:
        os.close(report)
    run(order)
    if order["token"]:
        say_token(report, order["token"])


def read_all(descriptor: int) -> bytes:
    """Return what is left to read of a file."""
    with open(descriptor, "rb", closefd=False) as file:
        return file.read()


def close_locks(order: dict[str, Any], report: int) -> None:
    """Confine this process, for good. Raises OSError where the kernel will not."""
    null = os.open("/dev/null", os.O_RDONLY)
    os.dup2(null, 0)
    os.closerange(3, report)
    os.closerange(report + 1, 2**20)
    for name, wanted in order["resources"].items():
        which = getattr(resource, name)
        _, hard = resource.getrlimit(which)
        most = sys.maxsize if hard == resource.RLIM_INFINITY else hard
        resource.setrlimit(which, tuple(min(value, most) for value in wanted))
    drop_capabilities()
    prctl(PR_SET_NO_NEW_PRIVS, 1)
    prctl(PR_SET_PDEATHSIG, SIGKILL)
    if os.getppid() != order["parent_pid"]:  # it died before the line above
        raise ProcessLookupError("the process that started this one is gone")
    restrict_files(order["ruleset"])
    filter_calls(order["filter"], order["own_pid_slots"])


def drop_capabilities() -> None:
    """Give up what root may do; without new privileges, nothing gives it back."""
    header = (ctypes.c_uint32 * 2)(LINUX_CAPABILITY_VERSION_3, 0)
    check(libc.capset(header, (ctypes.c_uint32 * 6)()), "capset")
    prctl(PR_CAP_AMBIENT, PR_CAP_AMBIENT_CLEAR_ALL)


def restrict_files(ruleset: dict[str, Any]) -> None:
    """Apply a `landlock.Ruleset`."""
    attributes = (ctypes.c_uint64 * 3)(
        ruleset["handled_fs"], ruleset["handled_net"], ruleset["scoped"]
    )
    size = ctypes.c_size_t(ruleset["attribute_bytes"])
    rules = check(libc.syscall(LANDLOCK_CREATE_RULESET, attributes, size, 0), "Landlock's ruleset")
    for path, access in ruleset["rules"]:
        beneath = os.open(path, os.O_PATH | os.O_CLOEXEC)
        rule = access.to_bytes(8, sys.byteorder) + beneath.to_bytes(4, sys.byteorder)
        added = libc.syscall(LANDLOCK_ADD_RULE, rules, LANDLOCK_RULE_PATH_BENEATH, rule, 0)
        check(added, f"Landlock's rule for {path}")
        os.close(beneath)
    check(libc.syscall(LANDLOCK_RESTRICT_SELF, rules, 0), "Landlock")
    os.close(rules)


class FilterProgram(ctypes.Structure):
    """The kernel's struct sock_fprog."""

    _fields_ = [("n_instructions", ctypes.c_ushort), ("instructions", ctypes.c_void_p)]


def filter_calls(code: bytes, own_pid_slots: tuple[int, ...]) -> None:
    """Install a `seccomp.Filter` in which signals are for this process only."""
    own = bytearray(code)
    for slot in own_pid_slots:
        own[8 * slot + 4 : 8 * slot + 8] = os.getpid().to_bytes(4, sys.byteorder)
    instructions = ctypes.create_string_buffer(bytes(own), len(own))
    program = FilterProgram(len(code) // 8, ctypes.addressof(instructions))
    prctl(PR_SET_SECCOMP, SECCOMP_MODE_FILTER, ctypes.addressof(program))


def prctl(option: int, *arguments: int) -> None:
    """Call prctl(2) with all of its five arguments. Raises OSError if the kernel refuses."""
    padded = [ctypes.c_ulong(value) for value in (*arguments, 0, 0, 0, 0)[:4]]
    check(libc.prctl(option, *padded), f"prctl {option}")


def check(result: int, what: str) -> int:
    """Return the result of a call, or raise the OSError that it stands for."""
    if result < 0:
        number = ctypes.get_errno()
        raise OSError(number, f"{what}: {os.strerror(number)}")
    return result


def run(order: dict[str, Any]) -> None:
    """Run the pieces of the program in one module, as if it had been started by itself."""
    # The program may put others in the place of these.
    execute, make_code, end_now = exec, compile, os._exit
    module = type(sys)(order["module"])
    sys.modules[order["module"]] = module
    sys.argv = [""]
    namespace = vars(module)
    namespace.update(__builtins__=builtins)
    vars(builtins).update(exit=sys.exit, quit=sys.exit)  # what `site` brings
    try:
        for name, source in order["parts"]:
            execute(make_code(source, name, "exec", dont_inherit=True), namespace)
    except SystemExit:
        raise
    except BaseException as error:
        if not order["token"]:
            show(error, order["parts"])
            sys.exit(1)
        try:
            show(error, order["parts"])
            flush()
        finally:
            end_now(1)  # whatever the program did to `sys.exit`: no token after a failure


def show(error: BaseException, parts: tuple[tuple[str, str], ...]) -> None:
    """Print a traceback that begins in the program and shows its lines."""
    trace = error.__traceback__.tb_next if error.__traceback__ else None
    if isinstance(error, MemoryError):  # none is left for lines
        sys.__excepthook__(type(error), error, trace)
        return
    try:
        import linecache
        import traceback

        for name, source in parts:
            lines = source.splitlines(keepends=True)
            linecache.cache[name] = (len(source), None, lines, name)
        traceback.print_exception(type(error), error, trace)
    except BaseException:  # the program broke the library
        sys.__excepthook__(type(error), error, trace)


def say_token(report: int, token: str) -> NoReturn:
    """Tell the parent that the tests came to their end, and end at once: nothing may follow them."""
    flush()
    os.write(report, token.encode())
    os._exit(0)


def flush() -> None:
    """Write out what the program has printed, on whatever it has put in the place of its streams."""
    for stream in (sys.stdout, sys.stderr, sys.__stdout__, sys.__stderr__):
        try:  # noqa: SIM105 - contextlib takes as long to import as the rest of this file to run
            stream.flush()  # type: ignore[union-attr]
        except BaseException:
            pass


if __name__ == "__main__":
    main(int(sys.argv[1]))
