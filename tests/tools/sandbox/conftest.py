"""A sandbox for the tests of this folder, which skip only where the kernel has no Landlock."""

import sys
from collections.abc import Callable

import pytest

from herd.tools import Sandbox, SandboxLimits
from herd.tools.sandbox.landlock import landlock_abi


@pytest.fixture(scope="session")
def has_landlock() -> None:
    if sys.platform != "linux" or landlock_abi() == 0:
        pytest.skip("needs a Linux kernel with Landlock")


@pytest.fixture(scope="session")
def sandbox(has_landlock: None) -> Sandbox:
    return Sandbox.open(SandboxLimits(timeout_s=60, cpu_s=30))


@pytest.fixture(scope="session")
def said(sandbox: Sandbox) -> Callable[[str], str]:
    """Run a program that must end well; return what it printed."""

    def run(source: str) -> str:
        outcome = sandbox.run(source)
        assert outcome.passed, outcome
        return outcome.stdout

    return run
