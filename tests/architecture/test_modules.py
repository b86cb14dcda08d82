"""Every module imports alone, and importing does nothing else."""

import importlib
import subprocess
import sys
from pathlib import Path

import pytest

SOURCE = Path(__file__).resolve().parents[2] / "src"
MODULES = sorted(
    ".".join(path.relative_to(SOURCE).with_suffix("").parts).removesuffix(".__init__")
    for path in (SOURCE / "herd").rglob("*.py")
)
HEAVY = ("torch", "numpy", "transformers", "matplotlib", "pyarrow", "tokenizers", "rich.progress")


@pytest.mark.parametrize("module", MODULES)
def test_every_module_imports_and_says_what_it_is(module: str) -> None:
    assert importlib.import_module(module).__doc__


@pytest.mark.parametrize("module", ["herd", "herd.cli.main"])
def test_the_entrance_loads_nothing_heavy(module: str) -> None:
    program = f"import sys, {module}; print([m for m in {HEAVY} if m in sys.modules])"
    result = subprocess.run(
        [sys.executable, "-c", program], capture_output=True, text=True, check=True
    )
    assert result.stdout.strip() == "[]"
