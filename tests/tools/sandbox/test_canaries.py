"""Where a lock does not close, no sandbox is opened."""

import dataclasses
import struct
import tempfile
from pathlib import Path
from typing import Any

import pytest

from herd.foundation import UserError
from herd.tools import Sandbox, SandboxLimits
from herd.tools.sandbox import confinement as confinement_module
from herd.tools.sandbox import sandbox as sandbox_module
from herd.tools.sandbox.canaries import Canary, make_canaries
from herd.tools.sandbox.confinement import find_confinement
from herd.tools.sandbox.landlock import READ_TREE, landlock_abi
from herd.tools.sandbox.seccomp import Filter, build_filter
from herd.tools.sandbox.syscalls import EXAMINED, numbers

ALLOW_EVERYTHING = Filter(code=struct.pack("=HBBI", 0x06, 0, 0, 0x7FFF0000), own_pid_slots=())

pytestmark = pytest.mark.usefixtures("has_landlock")


def weaken(monkeypatch: pytest.MonkeyPatch, **changes: Any) -> None:
    weaker = dataclasses.replace(find_confinement(), **changes)
    monkeypatch.setattr(sandbox_module, "find_confinement", lambda: weaker)


def error_of_opening() -> str:
    with pytest.raises(UserError) as caught:
        Sandbox.open()
    message = str(caught.value)
    assert "\n" not in message and "is needed" in message
    return message


def test_without_a_filter_of_calls_the_network_is_open(monkeypatch: pytest.MonkeyPatch) -> None:
    weaken(monkeypatch, filter=ALLOW_EVERYTHING)
    assert "be kept from the network here (AF_INET" in error_of_opening()


@pytest.mark.parametrize("name", ["clone", "kill", "prctl"])
def test_a_filter_that_lets_processes_through_is_noticed(
    monkeypatch: pytest.MonkeyPatch, name: str
) -> None:
    number = numbers(EXAMINED, confinement_module.platform.machine())[name]
    pierced = build_filter(confinement_module.platform.machine())
    head = 4 * 8  # after the architecture and the number are loaded
    hole = struct.pack("=HBBI", 0x15, 0, 1, number) + struct.pack("=HBBI", 0x06, 0, 0, 0x7FFF0000)
    code = pierced.code[:head] + hole + pierced.code[head:]
    slots = tuple(slot + 2 for slot in pierced.own_pid_slots)
    weaken(monkeypatch, filter=Filter(code=code, own_pid_slots=slots))
    assert "be kept from other processes" in error_of_opening()


def test_a_rule_too_many_for_reading_is_noticed(monkeypatch: pytest.MonkeyPatch) -> None:
    weaken(monkeypatch, grants={"/": READ_TREE, "/dev/null": ("read_file", "write_file")})
    assert "be kept from reading your files here (/, /etc/passwd" in error_of_opening()


def test_a_rule_too_many_for_writing_is_noticed(monkeypatch: pytest.MonkeyPatch) -> None:
    rights = "write_file", "make_reg", "remove_file"
    weaken(monkeypatch, grants={**find_confinement().grants, tempfile.gettempdir(): rights})
    assert "be kept from writing to your files here (append" in error_of_opening()


def test_memory_without_a_limit_is_noticed(monkeypatch: pytest.MonkeyPatch) -> None:
    whole = SandboxLimits.resource_limits

    def unlimited(limits: SandboxLimits) -> dict[str, int]:
        return {name: value for name, value in whole(limits).items() if name != "RLIMIT_AS"}

    monkeypatch.setattr(SandboxLimits, "resource_limits", unlimited)
    assert "be held to their memory here" in error_of_opening()


def test_a_watcher_that_sees_no_disk_is_noticed(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("herd.tools.sandbox.child_process.used_bytes", lambda *_: 0)

    def impatient(file: Path) -> list[Canary]:
        return [
            dataclasses.replace(each, limits=dataclasses.replace(each.limits, timeout_s=2))
            for each in make_canaries(file)
        ]

    monkeypatch.setattr("herd.tools.sandbox.canaries.make_canaries", impatient)
    assert "be held to their disk space" in error_of_opening()


@pytest.mark.parametrize(
    ("changes", "reason"),
    [
        ({"filter": Filter(code=b"", own_pid_slots=())}, "prctl 22"),
        ({"filter": Filter(code=bytes(8), own_pid_slots=())}, "prctl 22"),
        ({"grants": {"/nowhere": READ_TREE}}, "/nowhere"),
        ({"grants": {"/dev/null": READ_TREE}}, "Landlock's rule"),
    ],
)
def test_a_lock_that_the_kernel_does_not_take_is_named_and_nothing_runs(
    monkeypatch: pytest.MonkeyPatch, changes: dict[str, Any], reason: str
) -> None:
    weaken(monkeypatch, **changes)
    message = error_of_opening()
    assert "be run safely here (the sandbox was not put up" in message
    assert reason in message


def test_a_run_whose_locks_do_not_close_is_refused_and_nothing_runs(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    broken = dataclasses.replace(find_confinement(), filter=Filter(code=b"", own_pid_slots=()))
    sandbox = Sandbox(broken, SandboxLimits())
    for outcome in (sandbox.run("print('ran')"), sandbox.check("print('ran')", "")):
        assert (outcome.status, outcome.exit_code, outcome.stdout) == ("refused", None, "")
        assert not outcome.passed
        assert "prctl 22" in outcome.reason


@pytest.mark.parametrize("abi", [1, 2, 3, 4, 5])
def test_the_locks_hold_with_an_older_landlock_too(
    monkeypatch: pytest.MonkeyPatch, abi: int
) -> None:
    if abi > landlock_abi():
        pytest.skip("this kernel's Landlock is older")
    monkeypatch.setattr(confinement_module, "landlock_abi", lambda: abi)
    Sandbox.open()


def test_every_guarantee_has_a_canary(tmp_path: Path) -> None:
    guarantees = {canary.guarantee for canary in make_canaries(tmp_path / "file")}
    words = (
        "run",
        "network",
        "reading",
        "writing",
        "processes",
        "memory",
        "disk",
        "output",
        "time",
    )
    assert all(any(word in guarantee for guarantee in guarantees) for word in words)
