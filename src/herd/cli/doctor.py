"""`herd doctor`: what this machine is, how fast it is, what is missing and how to get it."""

import importlib.util
import json
import shutil
import sys
from typing import Annotated, Any

import typer

from herd.foundation import (
    Ceilings,
    cache_directory,
    default_device,
    describe_environment,
    detect_hardware,
    format_bytes,
    measure_and_save_ceilings,
    to_dict,
)

OPTIONAL = {  # module: (what for, how to get it)
    "tensorboard": ("curves in TensorBoard", "pip install 'llama-herd[train]'"),
    "pyarrow": ("parquet sources", "pip install 'llama-herd[data]'"),
    "zstandard": ("zst sources", "pip install 'llama-herd[data]'"),
    "transformers": ("parity tests", "pip install 'llama-herd[test]'"),
    "xllamacpp": ("parity with llama.cpp", "pip install 'llama-herd[test]'"),
}
COMPILER = ("g++", "torch.compile on the CPU", "install a C++ compiler (Debian: apt install g++)")


def doctor(
    as_json: Annotated[bool, typer.Option("--json", help="Print JSON for a program.")] = False,
) -> None:
    """Show versions, hardware and measured ceilings, and what is missing."""
    print("measuring matrix products and memory, about 3 seconds ...", file=sys.stderr)
    ceilings = measure_and_save_ceilings(default_device())
    findings = {
        "environment": describe_environment(),
        "ceilings": to_dict(ceilings),
        "cache": str(cache_directory()),
        "missing": list(_missing()),
    }
    if as_json:
        print(json.dumps(findings, indent=2))
    else:
        _print(findings, ceilings)


def _missing() -> list[dict[str, str]]:
    found = [
        {"what": module, "for": purpose, "get": remedy}
        for module, (purpose, remedy) in OPTIONAL.items()
        if importlib.util.find_spec(module) is None
    ]
    program, purpose, remedy = COMPILER
    if shutil.which(program) is None:
        found.append({"what": program, "for": purpose, "get": remedy})
    return found


def _print(findings: dict[str, Any], ceilings: Ceilings) -> None:
    environment = findings["environment"]
    versions = ", ".join(f"{name} {version}" for name, version in environment["versions"].items())
    hardware = detect_hardware()
    rows = {
        "Python": f"{environment['python']} on {environment['system']}",
        "packages": versions,
        "commit": environment["commit"] or "not a git checkout",
        "processor": f"{hardware.cpu}, {hardware.cores} cores",
        "instructions": ", ".join(hardware.cpu_features) or "none of the known matrix extensions",
        "memory": format_bytes(hardware.memory_bytes),
        "GPUs": ", ".join(hardware.gpus) or "none; everything below runs on the CPU",
        "cache": findings["cache"],
    }
    threads = f"{ceilings.threads} thread{'' if ceilings.threads == 1 else 's'}"
    for dtype, flops_per_s in ceilings.matmul_flops_per_s.items():
        rows[f"{dtype} matmul"] = f"{flops_per_s / 1e9:,.0f} GFLOP/s ({threads})"
    rows["memory copy"] = f"{format_bytes(ceilings.memory_bytes_per_s)}/s"
    for name, value in rows.items():
        print(f"{name:16} {value}")
    for item in findings["missing"]:
        print(f"{'missing':16} {item['what']} ({item['for']}): {item['get']}")
    if not findings["missing"]:
        print(f"{'missing':16} nothing")
