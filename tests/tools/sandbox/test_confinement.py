import marshal
import os
import platform
import sys
from pathlib import Path

import pytest

from herd.foundation import UserError
from herd.tools import Sandbox, SandboxLimits
from herd.tools.sandbox import confinement as confinement_module
from herd.tools.sandbox.confinement import Program, find_confinement, interpreter_directories


@pytest.mark.parametrize("system", ["darwin", "win32"])
def test_another_system_is_refused(monkeypatch: pytest.MonkeyPatch, system: str) -> None:
    monkeypatch.setattr(sys, "platform", system)
    with pytest.raises(UserError, match=f"{system}.*Landlock.*needed"):
        Sandbox.open()


def test_another_machine_is_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(platform, "machine", lambda: "riscv64")
    with pytest.raises(UserError, match="riscv64"):
        Sandbox.open()


def test_a_kernel_without_landlock_is_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(confinement_module, "landlock_abi", lambda: 0)
    with pytest.raises(UserError, match="files, Landlock is missing"):
        Sandbox.open()


def test_an_error_is_one_line(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(confinement_module, "landlock_abi", lambda: 0)
    with pytest.raises(UserError) as caught:
        find_confinement()
    assert "\n" not in str(caught.value)


def test_the_order_is_plain_data_with_every_lock_and_the_program(has_landlock: None) -> None:
    program = Program(parts=(("<program>", "pass \ud800"),), token="t")
    found = find_confinement()
    order = marshal.loads(found.order("/scratch", program, SandboxLimits()))
    assert order["parts"] == (("<program>", "pass \ud800"),)
    assert order["parent_pid"] == os.getpid()
    assert order["filter"] == found.filter.code
    granted = dict(order["ruleset"]["rules"])
    assert "/scratch" in granted and "/" not in granted and str(Path.home()) not in granted
    assert order["resources"]["RLIMIT_AS"] == (2**30, 2**30)


def test_the_interpreters_directories_hold_the_standard_library_and_no_virtual_environment() -> (
    None
):
    directories = [Path(each) for each in interpreter_directories()]
    assert any(Path(os.__file__).resolve().is_relative_to(each) for each in directories)
    if sys.prefix != sys.base_prefix:
        assert not any(Path(sys.prefix).is_relative_to(each) for each in directories)
